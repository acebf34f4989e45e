"""Who the semantic level works with: one that makes vectors of texts, one that judges pairs."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from msgspec import Struct


class EmbedderUnavailable(Exception):
    """No vectors for the moment; says why."""


class Embedding(Struct, frozen=True):
    """A text as a vector."""

    vector: np.ndarray
    """Shape (dims,), float32, norm 1."""
    aspects: bytes = b""
    """What the judge may want of the text besides; stored with the question."""


class Sample(Struct, frozen=True, gc=False):
    """A question as the judge sees it."""

    text: str
    aspects: bytes = b""


class Embedder(Protocol):
    """Makes vectors; whatever else differs, equal names make equal vectors."""

    name: str

    async def embed(self, texts: list[str]) -> list[Embedding]:
        """A vector for each text.

        Raises:
            EmbedderUnavailable
        """

    async def close(self) -> None:
        """Let go of the model."""


class Judge(Protocol):
    """Says how likely one answer serves two questions; asks no model."""

    def score(self, asked: Sample, stored: Sample, cosine: float) -> float:
        """Estimated probability that one answer serves both, 0.0 where a guard forbids it."""

    def alike(self, one: str, other: str, cosine: float) -> bool:
        """Whether two answers say the same."""

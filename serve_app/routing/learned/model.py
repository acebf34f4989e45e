"""A trained model with its record: what it scores by, when and on what it was trained."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from serve_app.routing.learned.numbers import Floats
from serve_app.routing.learned.scorer import Scorer

FORMAT: Final = 1
SHARES: Final = np.linspace(0.0, 1.0, 201)
"""Shares of the examples whose highest score a model knows."""

Ids = NDArray[np.uint64]


class About(msgspec.Struct, frozen=True):
    """The record of a training; a part of the model's file."""

    format: int
    features: int
    """Version of what is seen of a text (`marks.VERSION`)."""
    examples: Annotated[int, msgspec.Meta(ge=1)]
    labels_sha256: str
    trained_on: date
    seed: int
    weak_accuracy: float
    strong_accuracy: float
    held_back_area: float
    """See `curve.py`; of the scores that were held back."""


class HeldBack(NamedTuple):
    """Scores of the training examples by models that had not seen them."""

    ids: Ids
    """Of their prompts, rising."""
    scores: Floats

    @classmethod
    def of(cls, prompts: Sequence[str], scores: Floats) -> HeldBack:
        ids, first = np.unique(prompt_ids(prompts), return_index=True)
        return cls(ids, scores[first])

    def find(self, prompts: Sequence[str]) -> Floats:
        """The score of each prompt, NaN for one that was no example."""
        wanted = prompt_ids(prompts)
        at = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[at] == wanted, self.scores[at], np.nan)

    def known(self, prompts: Sequence[str]) -> int:
        """How many of the prompts were examples."""
        return int(np.count_nonzero(~np.isnan(self.find(prompts))))


class Model(NamedTuple):
    """What training makes and a file keeps."""

    scorer: Scorer
    quantiles: Floats
    """The held-back scores at each of `SHARES`, rising."""
    held_back: HeldBack
    about: About

    def threshold(self, strong_share: float) -> float:
        """The score from which on a text is for the strong model.

        Args:
            strong_share: 0 to 1, the share of texts like the examples that should be.
        """
        if strong_share <= 0.0:
            return math.inf
        if strong_share >= 1.0:
            return 0.0
        return float(np.interp(1.0 - strong_share, SHARES, self.quantiles))

    def fair_scores(self, prompts: Sequence[str]) -> Floats:
        """Scores by models that had not seen the prompt: held-back ones of training examples."""
        scores = self.held_back.find(prompts)
        for i in np.flatnonzero(np.isnan(scores)):
            scores[i] = self.scorer.score(prompts[i])
        return scores


def prompt_ids(prompts: Sequence[str]) -> Ids:
    """64 bits of a digest for each prompt."""
    digests = (hashlib.sha256(prompt.encode("utf-8", "replace")).digest() for prompt in prompts)
    return np.array([int.from_bytes(digest[:8], "big") for digest in digests], np.uint64)

"""How a backend's model is doing, as the rooms tell each other."""

from __future__ import annotations

from msgspec import Struct

from serve_app.core.types import Priority


class Headroom(Struct, frozen=True, gc=False):
    """What a provider's rate limits still allow, as its headers said. None: it did not say."""

    requests_left: int | None = None
    tokens_left: int | None = None
    resets_in_s: float = 0.0
    """Seconds from the moment it was read until what is left is whole again."""


class Reading(Struct, frozen=True, gc=False):
    """How one model at one backend is doing, over all replicas as far as known here."""

    first_token_p50_s: float | None = None
    first_token_p95_s: float | None = None
    tokens_per_s: float | None = None
    """Of one answer, after its first token."""
    error_rate: float = 0.0
    """Share of failed attempts, 0 to 1, of the recent ones."""
    samples: int = 0
    running: int = 0
    """Calls under way."""
    open_for_s: float = 0.0
    """Seconds until the breaker lets a probe through; 0: closed, or a probe may go."""
    is_open: bool = False
    away: str = ""
    """Why it cannot be asked now (model not up, key refused); empty: it can."""
    headroom: Headroom | None = None


class Queue(Struct, frozen=True):
    """Calls at a model that does only so many at once."""

    running: int
    waiting: dict[Priority, int]
    refused: dict[tuple[Priority, str], int]
    """So far, by class and reason."""

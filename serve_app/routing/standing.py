"""How every model stands at the moment: vitals and prices in, what a plan needs of them out.

Reading vitals costs more than planning does, so what was made of them is kept for `FRESH_S`.

A model that is away is left out. The others are only moved back, because it is better to ask
them than nobody: behind everything that is well while a breaker rests or a limit is used up, and
behind its equals while many of its calls fail. A breaker whose rest is over moves nothing: only
a request that comes first will find out whether the backend is back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from serve_app.config.policy import Price
from serve_app.core.clock import Clock
from serve_app.core.vital import Reading
from serve_app.routing.base import Book
from serve_app.routing.catalog import Model

FRESH_S: Final = 0.05

WELL: Final = 0
FULL: Final = 1
RESTING: Final = 2
"""Levels: a model of a higher one comes after all models of a lower one."""

SHAKY_FROM: Final = 0.25
"""Share of failed calls from which on a model comes after its equals."""
SHAKY_SAMPLES: Final = 10
"""With fewer recent calls a share says nothing."""

GUESSED_FIRST_TOKEN_S: Final = 0.3
GUESSED_TOKENS_PER_S: Final = 100.0
"""What a model is taken for that was never measured: faster than most, so that it is tried."""

_FREE: Final = Price(input=0, output=0)


class Standing(Struct, frozen=True, gc=False):
    """One model at one moment."""

    away: str
    """Why it cannot be asked; empty: it can."""
    level: int
    why: str
    """Why it is moved back, or that its breaker waits for a probe; empty if neither."""
    shaky: bool
    tokens_left: int | None
    """What the provider's limit still allows until it is whole again, None without a limit."""
    resets_in_s: float
    first_token_s: float | None
    start_s: float
    """Seconds to the first token, guessed if it was never measured."""
    token_s: float
    """Seconds a token after the first, guessed if it was never measured."""
    pace: str
    """These two in words."""
    price: Price | None


class Standings:
    """The standings of the moment, each read when it is first asked for.

    Args:
        price: of a model by its name at the backend, None where it is not known.
    """

    def __init__(self, vitals: Book, price: Callable[[str], Price | None], clock: Clock) -> None:
        self._vitals = vitals
        self._price = price
        self._clock = clock
        self._read: dict[str, Standing] = {}
        self._stale_at = -math.inf

    def now(self) -> dict[str, Standing]:
        """What was read by `backend/model`; the same dictionary is filled by `read`."""
        now = self._clock.monotonic()
        if now >= self._stale_at:
            self.forget()
            self._stale_at = now + FRESH_S
        return self._read

    def forget(self) -> None:
        """Read everything again."""
        self._read = {}

    def read(self, model: Model) -> Standing:
        """Read one model now, and keep it for those that ask within `FRESH_S`."""
        price = _FREE if model.local else self._price(model.id)
        observed = self._vitals.of(model.backend, model.id)
        # A local model's limit holds for each replica of the gateway, so its own calls count.
        is_full = model.max_running is not None and observed.running >= model.max_running
        standing = _standing(observed.reading(), price, observed.running if is_full else None)
        self._read[model.ref] = standing
        return standing


def _standing(reading: Reading, price: Price | None, calls: int | None) -> Standing:
    level, why, shaky = _condition(reading, calls)
    headroom = reading.headroom
    limited = headroom is not None and headroom.resets_in_s > 0
    return Standing(
        away=reading.away,
        level=level,
        why=why,
        shaky=shaky,
        tokens_left=headroom.tokens_left if limited and headroom else None,
        resets_in_s=headroom.resets_in_s if limited and headroom else 0.0,
        first_token_s=reading.first_token_p50_s,
        start_s=_or_guess(reading.first_token_p50_s, GUESSED_FIRST_TOKEN_S),
        token_s=1.0 / (reading.tokens_per_s or GUESSED_TOKENS_PER_S),
        pace=_pace(reading),
        price=price,
    )


def _condition(reading: Reading, calls: int | None) -> tuple[int, str, bool]:
    """Level, reason, and whether many of its calls fail.

    Args:
        calls: at a local model where the next one has to wait; None: it has not.
    """
    if reading.is_open and reading.open_for_s > 0:
        wait = math.ceil(reading.open_for_s)
        return RESTING, f"moved back: resting: failed too often, next try in {wait} s", False
    headroom = reading.headroom
    if headroom is not None and headroom.requests_left == 0 and headroom.resets_in_s > 0:
        wait = math.ceil(headroom.resets_in_s)
        return FULL, f"moved back: its rate limit allows no request for {wait} s", False
    if calls is not None:
        return FULL, f"moved back: it has no turn free ({calls} calls under way)", False
    if reading.is_open:
        return WELL, "failed too often, rested, and may be tried again", False
    if reading.error_rate >= SHAKY_FROM and reading.samples >= SHAKY_SAMPLES:
        return WELL, f"{reading.error_rate:.0%} of its last calls failed", True
    return WELL, "", False


def _or_guess(measured: float | None, guess: float) -> float:
    return guess if measured is None else measured


def _pace(reading: Reading) -> str:
    first, pace = reading.first_token_p50_s, reading.tokens_per_s
    if first is None and not pace:
        return "not measured yet, taken for fast"
    said = "first token not measured yet" if first is None else f"first token {first:.2f} s"
    return f"{said}, {pace:.0f} tokens/s" if pace else f"{said}, tokens/s not measured yet"

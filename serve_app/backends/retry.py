"""When the same candidate is asked again: a budget for the process, a pause for each retry."""

from __future__ import annotations

from random import Random

from serve_app.core.clock import Clock

FLOOR_PER_S = 3.0
"""Retries a second that are always allowed, so that a quiet service can retry at all."""

WINDOW_S = 10.0
"""So many seconds of the floor can be saved up."""

MAX_SAVED = 100.0
"""Retries that requests can save up: more would be a storm when they are spent at once."""

BACKOFF_S = 0.1
"""Mean pause before the first retry; doubled for each further one."""

MAX_BACKOFF_S = 2.0


class RetryBudget:
    """Keeps retries a share of requests: when everything fails, retrying makes it worse.

    Two token buckets: one filled by requests, the other by time.
    """

    __slots__ = ("_at", "_clock", "_floor", "_saved")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.monotonic()
        self._floor = FLOOR_PER_S * WINDOW_S
        self._saved = 0.0

    def deposit(self, share: float) -> None:
        """A request came in; `share` of a retry is saved up for it."""
        self._saved = min(MAX_SAVED, self._saved + share)

    def withdraw(self) -> bool:
        """Take one retry; False if none is left."""
        now = self._clock.monotonic()
        self._floor = min(FLOOR_PER_S * WINDOW_S, self._floor + (now - self._at) * FLOOR_PER_S)
        self._at = now
        if self._saved >= 1.0:
            self._saved -= 1.0
        elif self._floor >= 1.0:
            self._floor -= 1.0
        else:
            return False
        return True


def pause_s(rng: Random, retry: int, retry_after_s: float | None) -> float:
    """Seconds before retry number `retry` (from 0): jittered, exponential, never below what the
    provider asked for. A backend with another key asks for 0: at once."""
    if retry_after_s == 0.0:
        return 0.0
    backoff = min(BACKOFF_S * 2.0**retry, MAX_BACKOFF_S) * rng.uniform(0.5, 1.5)
    return (retry_after_s or 0.0) + backoff

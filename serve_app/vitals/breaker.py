"""Stops asking a backend's model that keeps failing, and finds out when it answers again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from serve_app.core.clock import Clock

FAILURES = 5
"""Failures in a row that open a breaker."""

OPEN_S = 10.0
"""Seconds an open breaker refuses calls; then one may try."""

MAX_REST_S = 120.0
"""Longest rest that a backend may ask for."""

SPREAD = 0.1
"""A rest lasts up to this share longer, so that replicas do not come back all at once."""


class Breaker:
    """Closed, open, or half-open with one probe; one per backend and model.

    Failures of calls that run at the same time all count: a backend that hangs must be left
    alone after one limit of time, not after five. A probe is a lease of `OPEN_S`, not a flag:
    one that never reports back (its caller left) leaves nothing to repair.

    Args:
        rng: spreads rests; None: they are exact.
        changed: called when it opened or closed by what happened here.
        closed: called when it closed, whoever found out.
    """

    __slots__ = (
        "_changed",
        "_clock",
        "_closed",
        "_failures",
        "_next_try_at",
        "_opened_at",
        "_rng",
        "failed_at",
        "is_news",
        "is_open",
    )

    def __init__(
        self,
        clock: Clock,
        rng: Random | None = None,
        changed: Callable[[], None] | None = None,
        closed: Callable[[], None] | None = None,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._changed = changed
        self._closed = closed
        self._failures = 0
        self._next_try_at = 0.0
        self._opened_at = 0.0
        self.failed_at = float("-inf")
        """Monotonic seconds of the last failure."""
        self.is_open = False
        self.is_news = False
        """True while other replicas have not been told of the last change."""

    def allows(self) -> bool:
        """Whether a call may be made now. True from an open breaker takes the probe."""
        if not self.is_open:
            return True
        now = self._clock.monotonic()
        if now < self._next_try_at:
            return False
        self._next_try_at = now + OPEN_S
        return True

    def succeeded(self, sent_at: float | None = None) -> None:
        """Count a success, which closes an open breaker.

        Args:
            sent_at: monotonic seconds when the call was sent. One sent before the breaker
                opened says nothing about now (the last streams that end well while the
                backend already refuses new calls) and leaves it open.
        """
        if not self.is_open:
            self._failures = 0
        elif sent_at is None or sent_at >= self._opened_at:
            self._close()
            self._tell()

    def failed(self) -> None:
        """Count a failure."""
        self.failed_at = self._clock.monotonic()
        self._failures += 1
        if self.is_open or self._failures >= FAILURES:
            self._open(OPEN_S)

    def rest(self, seconds: float) -> None:
        """Count a failure of a backend that asked not to be called for so long."""
        self.failed()
        self._open(min(seconds, MAX_REST_S))

    def left_s(self) -> float:
        """Seconds until a probe may go; 0: now, or it is closed."""
        return max(0.0, self._next_try_at - self._clock.monotonic()) if self.is_open else 0.0

    def give_back(self) -> None:
        """The probe that `allows` gave was not made."""
        self._next_try_at = self._clock.monotonic()

    def wait(self, seconds: float) -> None:
        """Somebody else has the probe: ask again in so long."""
        self._next_try_at = self._clock.monotonic() + seconds

    def told(self, *, is_open: bool, left_s: float) -> None:
        """Do as another replica's breaker did; of two rests the longer holds."""
        if not is_open:
            self._close()
            return
        now = self._clock.monotonic()
        if not self.is_open:
            self.is_open = True
            self._opened_at = self.failed_at = now
        self._next_try_at = max(self._next_try_at, now + self._spread(left_s))

    def _open(self, seconds: float) -> None:
        self._next_try_at = max(self._next_try_at, self.failed_at + self._spread(seconds))
        self.is_news = True
        if not self.is_open:
            self.is_open = True
            self._opened_at = self.failed_at
            self._tell()

    def _close(self) -> None:
        if self.is_open and self._closed is not None:
            self._closed()
        self.is_open = False
        self._failures = 0
        self._next_try_at = 0.0

    def _tell(self) -> None:
        self.is_news = True
        if self._changed is not None:
            self._changed()

    def _spread(self, seconds: float) -> float:
        return seconds if self._rng is None else seconds * (1.0 + SPREAD * self._rng.random())

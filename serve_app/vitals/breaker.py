"""Stops asking a backend's model that keeps failing, and finds out when it answers again."""

from __future__ import annotations

from serve_app.core.clock import Clock

FAILURES = 5
"""Failures in a row that open a breaker."""

OPEN_S = 10.0
"""Seconds an open breaker refuses calls; then one may try."""

MAX_REST_S = 120.0
"""Longest rest that a backend may ask for."""


class Breaker:
    """Closed, open, or half-open with one probe; one per backend and model.

    Failures of calls that run at the same time all count: a backend that hangs must be left
    alone after one limit of time, not after five. A probe is a lease of `OPEN_S`, not a flag:
    one that never reports back (its caller left) leaves nothing to repair.
    """

    __slots__ = ("_clock", "_failures", "_next_try_at", "failed_at", "is_open")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._next_try_at = 0.0
        self.failed_at = float("-inf")
        """Monotonic seconds of the last failure."""
        self.is_open = False

    def allows(self) -> bool:
        """Whether a call may be made now. True from an open breaker takes the probe."""
        if not self.is_open:
            return True
        now = self._clock.monotonic()
        if now < self._next_try_at:
            return False
        self._next_try_at = now + OPEN_S
        return True

    def succeeded(self) -> None:
        self._failures = 0
        self.is_open = False

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

    def _open(self, seconds: float) -> None:
        self.is_open = True
        self._next_try_at = max(self._next_try_at, self.failed_at + seconds)

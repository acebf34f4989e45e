"""Stops asking a Redis that does not answer, and finds out by itself when it does again."""

from __future__ import annotations

import logging

from serve_app.core.clock import Clock
from serve_app.store.errors import StoreUnavailable

log = logging.getLogger(__name__)


class Breaker:
    """Opens after `failures` failures in a row; then lets one probe through each `open_s`.

    A probe is a lease of time, not a flag: a probe that was cancelled leaves nothing to
    repair. One line is logged when it opens and one when it closes.
    """

    def __init__(self, clock: Clock, failures: int, open_s: float, name: str = "Redis") -> None:
        self._clock = clock
        self._name = name
        self._limit = failures
        self._open_s = open_s
        self.failures = 0
        """Since the last success."""
        self._failed_at = float("-inf")
        self._opened_at = 0.0
        self._next_probe_at = 0.0
        self._reason = ""
        self.is_open = False

    def enter(self) -> float:
        """Permission for one command; hand the result to `failed`.

        Raises:
            StoreUnavailable: open, and it is not time for a probe.
        """
        now = self._clock.monotonic()
        if self.is_open:
            if now < self._next_probe_at:
                raise StoreUnavailable(f"{self._name} is away: {self._reason}")
            self._next_probe_at = now + self._open_s
        return now

    def succeeded(self) -> None:
        self.failures = 0
        if self.is_open:
            self.is_open = False
            away_s = self._clock.monotonic() - self._opened_at
            log.warning("%s answers again after %.1f s", self._name, away_s)

    def failed(self, entered_at: float, reason: str) -> None:
        """Count a failure of a command that entered at `entered_at`.

        Commands that were under way together fail together: one hiccup counts once.
        """
        if self.is_open or entered_at < self._failed_at:
            return
        self._failed_at = self._clock.monotonic()
        self.failures += 1
        if self.failures >= self._limit:
            self._open(reason)

    def _open(self, reason: str) -> None:
        self.is_open = True
        self._reason = reason
        self._opened_at = self._failed_at
        self._next_probe_at = self._failed_at + self._open_s
        log.error(
            "%s does not answer (%s); asking again every %.1f s", self._name, reason, self._open_s
        )

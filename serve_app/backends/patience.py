"""How long one call may still be silent: its limits on one clock, without timers of its own."""

from __future__ import annotations

from serve_app.backends.base import AttemptFailed


class Patience:
    """Limits of one call: until its first event, between events, and in all.

    Only real events count: who waits calls `hold` when one came and `resume` when it waits
    again, so that comments keep nothing alive and a slow reader is not taken for a silent
    provider. Times are monotonic seconds of whatever clock the caller uses.
    """

    __slots__ = ("_idle_s", "_limit_s", "_total_s", "due_at", "end_at", "held")

    def __init__(self, now: float, *, first_s: float, idle_s: float, total_s: float) -> None:
        self._idle_s = idle_s
        self._limit_s = first_s
        self._total_s = total_s
        self.end_at = now + total_s
        self.due_at = min(now + first_s, self.end_at)
        self.held = False

    def hold(self) -> None:
        """Something came: nothing but the whole call's limit runs."""
        self.held = True
        self.due_at = self.end_at

    def resume(self, now: float, at_most_s: float | None = None) -> None:
        """Wait for the next event, at most the idle limit (or `at_most_s`, if shorter)."""
        if self.held:
            self.held = False
            self._limit_s = self._idle_s if at_most_s is None else min(self._idle_s, at_most_s)
            self.due_at = min(now + self._limit_s, self.end_at)

    def overrun(self) -> AttemptFailed:
        """The failure to raise once `due_at` has passed."""
        if self.due_at >= self.end_at:
            return timed_out(f"not done within {self._total_s:g} s")
        return timed_out(f"nothing came for {self._limit_s:g} s")


def timed_out(message: str) -> AttemptFailed:
    """A failure that says: this backend is silent, do not wait for it a second time."""
    return AttemptFailed("transient", message, code=TIMEOUT)


TIMEOUT = "timeout"
"""`code` of every failure by a limit of time."""

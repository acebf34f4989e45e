"""What was tried for one request: the lines for its trail and, if nothing helped, its error."""

from __future__ import annotations

from serve_app.backends.base import FULL, AttemptFailed
from serve_app.core.clock import Clock
from serve_app.core.errors import (
    BadRequest,
    DeadlineExceeded,
    GatewayError,
    Overloaded,
    UpstreamFailed,
)
from serve_app.core.trail import Trail
from serve_app.core.types import Candidate, ChatRequest

MIN_ATTEMPT_S = 0.05
"""With less than this until the deadline no attempt is begun."""

DEFAULT_RETRY_AFTER_S = 1.0


class Tries:
    """Attempts of one request so far. `count` leaves out candidates that were only skipped."""

    def __init__(self, request: ChatRequest, trail: Trail, deadline: float, clock: Clock) -> None:
        self.request = request
        self.trail = trail
        self.count = 0
        self._deadline = deadline
        self._clock = clock
        self._lines: list[str] = []
        self._failures: list[AttemptFailed] = []

    def left_s(self) -> float:
        return self._deadline - self._clock.monotonic()

    def begin(self) -> float:
        """Count an attempt; its start in monotonic seconds.

        Raises:
            DeadlineExceeded: too little time is left for it.
        """
        if self.left_s() < MIN_ATTEMPT_S:
            raise self._too_late()
        self.count += 1
        return self._clock.monotonic()

    def answered(self, candidate: Candidate, began: float) -> None:
        """Note that the candidate began to answer."""
        self._note("answered", candidate, ms=self._ms(began), status=200)

    def failed(self, candidate: Candidate, failed: AttemptFailed, began: float) -> None:
        """Note a failure.

        Raises:
            BadRequest: the failure is the caller's.
        """
        ms = self._ms(began)
        self._note(failed.kind, candidate, ms=ms, status=failed.status, why=failed.message)
        if failed.kind == "caller":
            raise BadRequest(
                failed.message, param=failed.param, code=failed.code or None
            ) from failed
        status = f"HTTP {failed.status}, " if failed.status else ""
        self._lines.append(f"{_name(candidate)}: {failed.message} ({status}{ms:.0f} ms)")
        self._failures.append(failed)

    def abandoned(self, candidate: Candidate, began: float) -> None:
        """Note that the caller left while the candidate was asked."""
        self._note("cancelled", candidate, ms=self._ms(began), status=0)

    def skipped(self, candidate: Candidate, why: str) -> None:
        """Note a candidate that was not asked."""
        self._note("skipped", candidate, ms=0.0, status=0, why=why)
        self._lines.append(f"{_name(candidate)}: not asked, {why}")

    def all_failed(self) -> GatewayError:
        """The error of a request that no candidate answered."""
        if self.left_s() < MIN_ATTEMPT_S:
            return self._too_late()
        if self._failures and all(map(_is_overload, self._failures)):
            waits = [f.retry_after_s for f in self._failures if f.retry_after_s is not None]
            return Overloaded(
                self._report("every backend is out of capacity"),
                retry_after_s=min(waits, default=DEFAULT_RETRY_AFTER_S),
            )
        return UpstreamFailed(self._report("every backend failed"))

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(self._report("the deadline passed before a backend answered"))

    def _report(self, what: str) -> str:
        return "\n".join([f"{what}:", *self._lines]) if self._lines else what

    def _ms(self, began: float) -> float:
        return (self._clock.monotonic() - began) * 1000.0

    def _note(self, outcome: str, candidate: Candidate, **facts: object) -> None:
        self.trail.note(
            "attempt", outcome, backend=candidate.backend, model=candidate.model, **facts
        )


def _name(candidate: Candidate) -> str:
    return f"{candidate.backend}/{candidate.model}"


def _is_overload(failed: AttemptFailed) -> bool:
    """Capacity, not a fault: the same request will do later."""
    if failed.kind != "transient":
        return False
    asks_to_wait = failed.status == 503 and failed.retry_after_s is not None
    return failed.status in (429, 529) or failed.code == FULL or asks_to_wait

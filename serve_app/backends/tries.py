"""What was tried for one request: the lines for its trail and, if nothing helped, its error."""

from __future__ import annotations

from typing import NamedTuple

from serve_app.backends.base import BUSY, FULL, AttemptFailed
from serve_app.backends.patience import TIMEOUT
from serve_app.backends.refusal import CONTENT, CONTEXT
from serve_app.core.clock import Clock
from serve_app.core.errors import (
    BadRequest,
    DeadlineExceeded,
    GatewayError,
    NotFound,
    Overloaded,
    UpstreamFailed,
)
from serve_app.core.plan import Candidate
from serve_app.core.trace import Trace
from serve_app.core.trail import Trail
from serve_app.core.types import ChatRequest

MIN_ATTEMPT_S = 0.05
"""With less than this until the deadline no attempt is begun."""

DEFAULT_RETRY_AFTER_S = 1.0

TOO_SMALL = "its context is no larger than the one that was too small"


class Failure(NamedTuple):
    """A failed attempt; `at` is monotonic seconds."""

    candidate: Candidate
    failed: AttemptFailed
    at: float


class Tries:
    """Attempts of one request so far. `count` leaves out candidates that were only skipped."""

    __slots__ = ("_clock", "_deadline", "_is_beyond", "_lines", "_spans", "count", "failures",
                 "request", "trail")  # fmt: skip

    def __init__(self, request: ChatRequest, trail: Trail, deadline: float, clock: Clock) -> None:
        self.request = request
        self.trail = trail
        self.count = 0
        self.failures: list[Failure] = []
        self._deadline = deadline
        self._clock = clock
        self._lines: list[str] = []
        self._is_beyond = False
        """Somebody was passed over who might have helped."""
        self._spans: dict[tuple[str, str, float], str] = {}

    def left_s(self) -> float:
        return self._deadline - self._clock.monotonic()

    def begin(self) -> None:
        """Count an attempt.

        Raises:
            DeadlineExceeded: too little time is left for it.
        """
        if self.left_s() < MIN_ATTEMPT_S:
            raise self._too_late()
        self.count += 1

    def unfit(self, candidate: Candidate) -> str:
        """Why what happened so far rules a candidate out; empty: it does not."""
        for earlier, failed, _ in self.failures:
            if failed.code == TIMEOUT and earlier.backend == candidate.backend:
                return "its backend was silent before"
            if failed.code == CONTEXT:
                if earlier.model == candidate.model:
                    return "the request is too long for this model"
                if candidate.context <= earlier.context:
                    return TOO_SMALL
        return ""

    def traced(self, candidate: Candidate, began: float, trace: Trace) -> None:
        """An attempt has a span of its own, which its notes are to name."""
        self._spans[candidate.backend, candidate.model, began] = trace.span_id

    # ------------------------------------------------------------------- notes

    def answered(self, candidate: Candidate, began: float) -> None:
        """Note that the candidate began to answer."""
        self._note("answered", candidate, began, status=200)

    def failed(self, candidate: Candidate, failed: AttemptFailed, began: float) -> None:
        """Note a failure before the answer began, or of an attempt to go on with one."""
        self._failure(failed.kind, candidate, failed, began)

    def interrupted(self, candidate: Candidate, failed: AttemptFailed, began: float) -> None:
        """Note that an answer broke off after it had begun."""
        self._failure("interrupted", candidate, failed, began)

    def recovered(self, candidate: Candidate, began: float) -> None:
        """Note that the candidate goes on with an answer that broke off."""
        self._note("recovered", candidate, began, status=200)

    def hedged(self, candidate: Candidate, began: float) -> None:
        """Note that the candidate is late, and another one is asked beside it."""
        self._note("hedged", candidate, began, status=0)

    def hedge_lost(self, candidate: Candidate, began: float) -> None:
        """Note that another one was quicker; this one is cancelled."""
        self._note("hedge_lost", candidate, began, status=0)

    def abandoned(self, candidate: Candidate, began: float) -> None:
        """Note that the caller left while the candidate was asked."""
        self._note("cancelled", candidate, began, status=0)

    def skipped(self, candidate: Candidate, why: str) -> None:
        """Note a candidate that was not asked."""
        self._note("skipped", candidate, None, status=0, why=why)
        self._lines.append(f"{_name(candidate)}: not asked, {why}")
        self._is_beyond = self._is_beyond or not self.unfit(candidate)

    # ------------------------------------------------------------------ errors

    def all_failed(self, rest_s: float | None) -> GatewayError:
        """The error of a request that no candidate answered.

        Args:
            rest_s: seconds until the first of those may be asked that were left alone; None if
                that was not why nobody was asked.
        """
        failures = [failure.failed for failure in self.failures]
        if self.left_s() < MIN_ATTEMPT_S:
            return self._too_late()
        if not failures and rest_s is not None:
            what = "every backend failed too often lately and is left alone"
            return Overloaded(self.report(what), retry_after_s=max(rest_s, DEFAULT_RETRY_AFTER_S))
        full = [failed for failed in failures if _is_overload(failed)]
        if full and self._lacks_room(full):
            return self._overloaded(full)
        if failures and all(failed.kind == "content" for failed in failures):
            return refused(failures[0])
        if failures and not self._is_beyond and all(f.code == CONTEXT for f in failures):
            return refused(failures[0])
        return UpstreamFailed(self.report("every backend failed"))

    def _lacks_room(self, full: list[AttemptFailed]) -> bool:
        """True if the request would have been answered with more capacity: nobody failed in
        another way, or a model of our own is well and only has no turn for it."""
        return len(full) == len(self.failures) or any(f.code == BUSY for f in full)

    def _overloaded(self, full: list[AttemptFailed]) -> Overloaded:
        waits = [f.retry_after_s for f in full if f.retry_after_s is not None]
        all_full = len(full) == len(self.failures)
        what = "is out of capacity" if all_full else "failed or is out of capacity"
        return Overloaded(
            self.report(f"every backend {what}"),
            code=BUSY if all(f.code == BUSY for f in full) else None,
            retry_after_s=min(waits, default=DEFAULT_RETRY_AFTER_S),
        )

    def broken_off(self, candidate: Candidate, failed: AttemptFailed, since: int) -> UpstreamFailed:
        """The error that ends a stream.

        Args:
            since: lines there were when the answer broke off; those of what was tried for it
                come after them.
        """
        what = f"the answer of {_name(candidate)} broke off: {failed.message}"
        lines = self._lines[since:]
        return UpstreamFailed(
            "\n".join([f"{what}; nobody could go on with it:", *lines]) if lines else what,
            code="stream_interrupted",
        )

    def lines(self) -> int:
        return len(self._lines)

    def report(self, what: str) -> str:
        """A line for what happened, and one for each attempt."""
        return "\n".join([f"{what}:", *self._lines]) if self._lines else what

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(self.report("the deadline passed before a backend answered"))

    def _failure(
        self, outcome: str, candidate: Candidate, failed: AttemptFailed, began: float
    ) -> None:
        ms = self._note(outcome, candidate, began, status=failed.status, why=failed.message)
        status = f"HTTP {failed.status}, " if failed.status else ""
        self._lines.append(f"{_name(candidate)}: {failed.message} ({status}{ms:.0f} ms)")
        # Its frames lead back here: a cycle would keep the whole request until the collector runs.
        failed.__traceback__ = None
        self.failures.append(Failure(candidate, failed, self._clock.monotonic()))

    def _ms(self, began: float) -> float:
        return (self._clock.monotonic() - began) * 1000.0

    def _note(
        self, outcome: str, candidate: Candidate, began: float | None, **facts: object
    ) -> float:
        """How long the attempt took, in milliseconds."""
        backend, model = candidate.backend, candidate.model
        ms = 0.0 if began is None else self._ms(began)
        since = self.trail.elapsed_ms() - ms
        if self._spans and began is not None:
            facts["span"] = self._spans.get((backend, model, began), "")
        self.trail.note("attempt", outcome, since, backend=backend, model=model, ms=ms, **facts)
        return ms


def refused(failed: AttemptFailed) -> GatewayError:
    """The provider's refusal as ours, in its own words."""
    if failed.kind == "content":
        return BadRequest(failed.message, param=failed.param, code=CONTENT)
    kind = NotFound if failed.status == 404 else BadRequest
    return kind(failed.message, param=failed.param, code=failed.code or None)


def _name(candidate: Candidate) -> str:
    return f"{candidate.backend}/{candidate.model}"


def _is_overload(failed: AttemptFailed) -> bool:
    """Capacity, not a fault: the same request will do later."""
    if failed.kind != "transient":
        return False
    asks_to_wait = failed.status == 503 and failed.retry_after_s is not None
    return failed.status in (429, 529) or failed.code == FULL or asks_to_wait

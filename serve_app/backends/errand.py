"""One request to be carried out: its plan and rules, what was tried, and the sending of calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from random import Random

from msgspec import Struct

from serve_app.backends.attempt import Attempt
from serve_app.backends.base import BUSY, FULL, AttemptFailed, Backend, Call
from serve_app.backends.body import Prepare, upstream_body
from serve_app.backends.hedge import HedgeShare
from serve_app.backends.patience import TIMEOUT
from serve_app.backends.retry import RetryBudget, pause_s
from serve_app.backends.tries import MIN_ATTEMPT_S, Tries
from serve_app.config.policy import ExecutionPolicy
from serve_app.core.clock import Clock
from serve_app.core.plan import Candidate, Plan
from serve_app.core.types import Sender
from serve_app.vitals.book import Vital, Vitals


class Means(Struct, frozen=True):
    """What every errand of this process shares."""

    backends: Mapping[str, Backend]
    vitals: Vitals
    clock: Clock
    rng: Random
    count_tokens: Callable[[str], int]
    sleep: Callable[[float], Awaitable[None]]
    budget: RetryBudget
    hedges: HedgeShare


class Errand(Struct, frozen=True):
    """Asks candidates; whom, and what becomes of it, others decide."""

    means: Means
    plan: Plan
    tries: Tries
    rules: ExecutionPolicy
    prepare: Prepare | None
    sender: Sender = Sender()

    def send(self, candidate: Candidate, prefix: str = "") -> Attempt:
        """Begin an attempt.

        Args:
            prefix: the beginning of the answer, to go on from.

        Raises:
            DeadlineExceeded: too little time is left for it.
        """
        tries, means = self.tries, self.means
        request = tries.request
        given_tokens = means.count_tokens(prefix) if prefix else 0
        body = upstream_body(request, candidate, self.prepare, given_tokens)
        tries.begin()
        backend = means.backends[candidate.backend]
        trace = tries.trail.child() if backend.tells_trace else None
        call = Call(
            backend=candidate.backend,
            model=candidate.model,
            body=body,
            stream=request.streaming,
            request_id=tries.trail.request_id,
            timeout_s=tries.left_s(),
            choices=request.params.n or 1,
            endpoint=request.endpoint,
            prefix=prefix,
            tenant=self.sender.tenant,
            priority=self.sender.priority,
            trace=trace,
        )
        vital = self.vital(candidate)
        attempt = Attempt(backend, candidate, call, vital, means.clock, self.rules.max_pause_s)
        if trace is not None and tries.trail.span is not None:
            tries.traced(candidate, attempt.began, trace)
        return attempt

    def unfit(self, candidate: Candidate) -> str:
        """Why this candidate cannot help this request (any more); empty if it may."""
        if candidate.backend not in self.means.backends:
            return "the backend is off"
        if self.is_spent:
            return f"{self.tries.count} attempts were made"
        return self.tries.unfit(candidate) if self.tries.failures else ""

    def pause_s(
        self, candidate: Candidate, failed: AttemptFailed, retry: int, waiting: int = 0
    ) -> float | None:
        """Seconds until a candidate that failed is tried again, None if it is not to be.

        Args:
            retry: how often it was tried again already.
            waiting: candidates not asked yet. A retry must not take their turn: a plan with many
                hosted models would never come to the local one.
        """
        if failed.kind != "transient" or failed.code in (TIMEOUT, FULL, BUSY):
            return None
        if self.tries.count + waiting >= self.rules.max_attempts:
            return None
        if retry >= self.rules.retries or self.vital(candidate).breaker.is_open:
            return None
        if (failed.retry_after_s or 0.0) > self.rules.max_pause_s:
            return None
        pause = pause_s(self.means.rng, retry, failed.retry_after_s)
        fits = pause + MIN_ATTEMPT_S < self.tries.left_s()
        return pause if fits and self.means.budget.withdraw() else None

    async def may_try(self, candidate: Candidate) -> bool:
        """Whether its breaker lets a call through now."""
        return await self.means.vitals.may_try(candidate.backend, candidate.model)

    def vital(self, candidate: Candidate) -> Vital:
        return self.means.vitals.of(candidate.backend, candidate.model)

    @property
    def is_spent(self) -> bool:
        """All attempts that the rules allow were made."""
        return self.tries.count >= self.rules.max_attempts

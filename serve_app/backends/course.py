"""One request's way through its plan: who is asked next, how often, and after which pause."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from serve_app.backends.attempt import Attempt
from serve_app.backends.base import BUSY, AttemptFailed
from serve_app.backends.errand import Errand
from serve_app.backends.hedge import Raced, race
from serve_app.backends.patience import TIMEOUT
from serve_app.backends.retry import BACKOFF_S
from serve_app.backends.tries import MIN_ATTEMPT_S, refused
from serve_app.core.errors import GatewayError
from serve_app.core.plan import Candidate
from serve_app.core.types import Chunk

_NEVER = float("inf")


class Begun(Struct, frozen=True):
    """An attempt that has begun to answer, and what it said so far."""

    attempt: Attempt
    first: list[Chunk]


class Course:
    """Asks candidates until one begins to answer."""

    __slots__ = ("_errand", "_means", "_resting", "_rules", "_tries", "_waiting")

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._means = errand.means
        self._rules = errand.rules
        self._tries = errand.tries
        self._waiting = list(errand.plan.candidates)
        self._resting: list[Candidate] = []

    async def first(self) -> Begun:
        """The first candidate that begins to answer.

        Raises:
            GatewayError: there is none.
        """
        self._means.budget.deposit(self._rules.retry_share)
        if self._rules.hedge.enabled:
            self._means.hedges.deposit(self._rules.hedge.max_share)
        begun = await self._ask_each()
        if begun is None:
            begun = await self._ask_a_resting_one()
        if begun is None:
            begun = await self._last_resort()
        if begun is None:
            raise self._tries.all_failed(self._rest_s())
        return begun

    async def _ask_each(self) -> Begun | None:
        while self._waiting:
            candidate = self._waiting.pop(0)
            if why := self._errand.unfit(candidate):
                self._tries.skipped(candidate, why)
            elif not await self._errand.may_try(candidate):
                self._resting.append(candidate)
                self._tries.skipped(candidate, "it failed too often lately")
            elif (begun := await self._try(candidate)) is not None:
                return begun
        return None

    async def _ask_a_resting_one(self) -> Begun | None:
        """Nobody else is left: the one that failed longest ago, as often as the budget of
        retries allows, so that a lone backend is found well again at once but not overrun."""
        fit = [c for c in self._resting if not self._errand.unfit(c)]
        if not fit or not self._means.budget.withdraw():
            return None
        longest = min(fit, key=lambda c: self._errand.vital(c).breaker.failed_at)
        return await self._try(longest, retries=False)

    async def _last_resort(self) -> Begun | None:
        """All failed, but somebody only asked for a pause, and the deadline allows it."""
        wishes = {c: self._wish_s(c, failed, at) for c, failed, at in self._tries.failures}
        fit = [c for c in wishes if not self._errand.unfit(c)]
        candidate = min(fit, key=wishes.__getitem__, default=None)
        if candidate is None or wishes[candidate] + MIN_ATTEMPT_S > self._tries.left_s():
            return None
        if not self._means.budget.withdraw():
            return None
        if wishes[candidate]:
            await self._means.sleep(wishes[candidate])
        if not await self._errand.may_try(candidate):
            return None
        return await self._try(candidate, retries=False)

    def _wish_s(self, candidate: Candidate, failed: AttemptFailed, at: float) -> float:
        """Seconds until a candidate may be asked again as it wished; infinite without a wish."""
        wish_s = failed.retry_after_s
        if failed.kind != "transient" or wish_s is None or failed.code in (TIMEOUT, BUSY):
            return _NEVER
        if wish_s == 0.0:
            return 0.0
        left_s = at + wish_s - self._means.clock.monotonic()
        rest_s = self._errand.vital(candidate).breaker.left_s()
        return max(left_s, rest_s, 0.0) + BACKOFF_S * self._means.rng.random()

    def _rest_s(self) -> float | None:
        return min((self._errand.vital(c).breaker.left_s() for c in self._resting), default=None)

    # ----------------------------------------------------------- one candidate

    async def _try(self, candidate: Candidate, *, retries: bool = True) -> Begun | None:
        """One candidate, again as often as that can help; None if another has to do it."""
        retry = 0
        while True:
            late_s = None if retry else self._late_s(candidate)
            if late_s is None:
                outcome = await self._once(candidate)
            else:
                outcome = await self._hedged(candidate, late_s)
            if not isinstance(outcome, AttemptFailed):
                return outcome
            if not retries:
                return None
            waiting = len(self._waiting)
            pause = self._errand.pause_s(candidate, outcome, retry, waiting)
            if pause is None:
                return None
            retry += 1
            if pause:
                await self._means.sleep(pause)

    async def _once(self, candidate: Candidate) -> Begun | AttemptFailed | None:
        attempt = self._errand.send(candidate)
        try:
            first = await attempt.first()
        except asyncio.CancelledError:
            self._tries.abandoned(candidate, attempt.began)
            raise
        except AttemptFailed as failed:
            self._failed(attempt, failed)
            return failed
        self._tries.answered(candidate, attempt.began)
        return Begun(attempt, first)

    def _failed(self, attempt: Attempt, failed: AttemptFailed) -> None:
        """Take note of a failure.

        Raises:
            BadRequest: it is the caller's, or goes to the caller by policy.
            NotFound: likewise.
        """
        self._tries.failed(attempt.candidate, failed, attempt.began)
        returned = self._rules.on_content_refusal == "return"
        if failed.kind == "caller" or (failed.kind == "content" and returned):
            raise refused(failed) from failed

    # ------------------------------------------------------------------ hedging

    def _late_s(self, candidate: Candidate) -> float | None:
        """Seconds after which the first token of a stream is late; None: it never is."""
        hedge = self._rules.hedge
        if not hedge.enabled or not self._tries.request.streaming:
            return None
        vital = self._errand.vital(candidate)
        return vital.first_token_quantile(hedge.quantile, hedge.min_samples)

    async def _hedged(self, candidate: Candidate, late_s: float) -> Begun | AttemptFailed | None:
        """Like `_once`, with a second candidate if the first is late; None: both failed."""
        attempts = [self._errand.send(candidate)]

        def second() -> Attempt | None:
            if (other := self._second()) is not None:
                attempts.append(other)
                self._tries.hedged(candidate, attempts[0].began)
            return other

        try:
            raced = await race(attempts[0], late_s, second)
        except asyncio.CancelledError:
            for attempt in attempts:
                self._tries.abandoned(attempt.candidate, attempt.began)
            raise
        return self._settled(raced, hedged=len(attempts) > 1)

    def _second(self) -> Attempt | None:
        """An attempt at the next candidate that may be asked, off the waiting line."""
        if self._means.hedges.is_spent:
            return None
        for candidate in self._waiting:
            if self._errand.unfit(candidate) or self._errand.vital(candidate).breaker.is_open:
                continue
            try:
                attempt = self._errand.send(candidate)
            except GatewayError:  # no time is left, or it cannot take the request
                return None
            self._waiting.remove(candidate)
            self._means.hedges.withdraw()
            return attempt
        return None

    def _settled(self, raced: Raced, *, hedged: bool) -> Begun | AttemptFailed | None:
        if raced.lost is not None:
            self._tries.hedge_lost(raced.lost.candidate, raced.lost.began)
        if raced.winner is None:
            for attempt, failed in raced.failures:
                self._failed(attempt, failed)
            return None if hedged else raced.failures[0][1]
        for attempt, failed in raced.failures:
            self._tries.failed(attempt.candidate, failed, attempt.began)
        self._tries.answered(raced.winner.candidate, raced.winner.began)
        return Begun(raced.winner, raced.first)

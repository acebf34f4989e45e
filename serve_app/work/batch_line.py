"""One line of a batch: asked until there is an answer, or no sense in asking again."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from msgspec import Struct

from serve_app.batches.lines import Line
from serve_app.config.batch_policy import BatchesPolicy
from serve_app.core.batch import Batch, Tally
from serve_app.core.errors import BudgetSpent
from serve_app.core.job import Job, Outcome
from serve_app.wire.batch_lines import RequestLine, answer_line, decode_line, skipped_line
from serve_app.wire.batch_usage import tokens_of

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_NAP_S: Final = 2.0
"""Who waits looks so often whether the batch was cancelled."""

_LATER: Final = frozenset({"rate_limit_exceeded", "overloaded", "local_model_busy"})
"""Codes of refusals that only mean that others are first: no failures, however many."""

_HELD_S: Final = 2.0
"""A budget that comes back so soon was not spent."""

_STOPS: Final = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    "batch_cancelled": "The batch was cancelled before this request was executed.",
}


class Performs(Protocol):
    """Carries out jobs; see `Performer`."""

    async def perform(self, job: Job) -> Outcome: ...


Sleep = Callable[[float], Awaitable[None]]


class Answered(Struct, frozen=True, array_like=True):
    """What a line came to."""

    text: bytes
    """A line of the output file, or of the error file."""
    tally: Tally

    @property
    def is_good(self) -> bool:
        return self.tally.completed > 0


class LineWork:
    """Answers lines of one batch.

    Args:
        why_stop: the code of why no more requests are made (`batch_expired`, `batch_cancelled`);
            empty: they are.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        batch: Batch,
        policy: BatchesPolicy,
        performer: Performs,
        why_stop: Callable[[], Awaitable[str]],
        rng: random.Random,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._batch = batch
        self._policy = policy
        self._performer = performer
        self._why_stop = why_stop
        self._rng = rng
        self._sleep = sleep

    async def answer(self, line: Line) -> Answered:
        """Answer one line, whatever the answer is."""
        line_id = f"batch_req_{self._digest(line)}"
        request = decode_line(line.text or b"", line.number, self._batch.terms.endpoint)
        if not isinstance(request, RequestLine):  # the file is not what it was
            return _skipped(line_id, "", request.code, request.message)
        failures = rounds = 0
        while not (code := await self._why_stop()):
            outcome = await self._performer.perform(self._job(line, request))
            failures += outcome.code not in _LATER
            if _is_final(outcome) or failures >= self._policy.attempts:
                return _answered(line_id, request.custom_id, outcome, self._request_id(line))
            await self._pause(rounds, outcome.retry_after_s)
            rounds += 1
        return _skipped(line_id, request.custom_id, code, _STOPS[code])

    def _job(self, line: Line, request: RequestLine) -> Job:
        terms = self._batch.terms
        return Job(
            path=terms.endpoint,
            body=request.body,
            key=terms.key,
            request_id=self._request_id(line),
            priority="batch",
            deadline_s=self._policy.request_s,
            once=f"{terms.id}:{line.number}",
            tenant=terms.tenant,
        )

    async def _pause(self, rounds: int, asked_s: float) -> None:
        """Wait as long as was asked for, or longer from round to round; less if the batch
        stops."""
        own_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(rounds, 10))
        left_s = max(asked_s, own_s * self._rng.uniform(0.5, 1.0))
        while left_s > 0 and not await self._why_stop():
            await self._sleep(min(left_s, _NAP_S))
            left_s -= _NAP_S

    def _request_id(self, line: Line) -> str:
        return f"req_{self._digest(line)}"

    def _digest(self, line: Line) -> str:
        """Of a line of this batch: the same whoever answers it."""
        name = f"{self._batch.id}:{line.number}"
        return hashlib.sha256(name.encode()).hexdigest()[:32]


def _is_final(outcome: Outcome) -> bool:
    """A budget that is only held by requests under way, not spent, may do in a moment."""
    is_held = outcome.code == BudgetSpent.code and 0 < outcome.retry_after_s <= _HELD_S
    return outcome.is_final and not is_held


def _answered(line_id: str, custom_id: str, outcome: Outcome, request_id: str) -> Answered:
    text = answer_line(line_id, custom_id, outcome.status, request_id, outcome.body)
    if outcome.status >= 300:
        return Answered(text, Tally(failed=1))
    tokens = tokens_of(outcome.body)
    return Answered(
        text,
        Tally(
            completed=1,
            input_tokens=tokens.input or outcome.prompt_tokens,
            cached_tokens=tokens.cached,
            output_tokens=tokens.output or outcome.completion_tokens,
            reasoning_tokens=tokens.reasoning,
        ),
    )


def _skipped(line_id: str, custom_id: str, code: str, message: str) -> Answered:
    tally = Tally(failed=1, expired=int(code == "batch_expired"))
    return Answered(skipped_line(line_id, custom_id, code, message), tally)

"""A plan carried out: the first candidate that begins to answer has the request.

Until the first content nothing is committed, so a failure before it is invisible to the caller:
it is tried again or the next candidate steps in (`course.py`). After it, `committed.py` sees to it
that the answer goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random

from serve_app.backends.base import Backend
from serve_app.backends.body import Prepare
from serve_app.backends.committed import Committed, Over, taken_over
from serve_app.backends.course import Course
from serve_app.backends.errand import Errand, Means
from serve_app.backends.hedge import HedgeShare
from serve_app.backends.recovery import Broken
from serve_app.backends.retry import RetryBudget
from serve_app.backends.tries import Tries
from serve_app.config.policy import ExecutionPolicy
from serve_app.core.clock import Clock
from serve_app.core.plan import Candidate, Plan
from serve_app.core.trail import Trail
from serve_app.core.types import ChatRequest, Chunk, Sender
from serve_app.vitals.book import Vitals

__all__ = ["Answer", "Broken", "Executor", "Prepare"]

_ANYBODY = Sender()


class Answer:
    """An answer that has begun. Close `chunks`, whatever happens."""

    __slots__ = ("_tries", "chunks")

    def __init__(self, chunks: Committed | Over, tries: Tries) -> None:
        self.chunks = chunks
        self._tries = tries

    @property
    def candidate(self) -> Candidate:
        """Who answers now: another one than at first, once a stream was recovered."""
        return self.chunks.candidate

    @property
    def attempts(self) -> int:
        """Calls of backends so far."""
        return self._tries.count

    @property
    def recovered(self) -> bool:
        """The answer broke off and goes on."""
        return self.chunks.is_recovered

    @property
    def given_tokens(self) -> int:
        """Of the answer's usage, so many who answers now counted as a part of its prompt."""
        return self.chunks.given_tokens

    @property
    def broken(self) -> list[Broken]:
        """What attempts that broke off had delivered."""
        return self.chunks.broken


class Executor:
    """Carries plans out over the backends of this process.

    Args:
        backends: by name.
        vitals: of their models; read and written.
        rng: for the jitter of pauses.
        count_tokens: of a text, where no provider counted.
        sleep: how to wait, in seconds.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        vitals: Vitals,
        clock: Clock,
        rng: Random,
        count_tokens: Callable[[str], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._means = Means(
            backends=backends,
            vitals=vitals,
            clock=clock,
            rng=rng,
            count_tokens=count_tokens,
            sleep=sleep,
            budget=RetryBudget(clock),
            hedges=HedgeShare(),
        )

    async def start(
        self,
        plan: Plan,
        request: ChatRequest,
        trail: Trail,
        deadline: float,
        rules: ExecutionPolicy,
        prepare: Prepare | None = None,
        sent: Sequence[list[Chunk]] = (),
        sender: Sender = _ANYBODY,
    ) -> Answer:
        """Try the candidates in order until one begins to answer.

        Args:
            deadline: monotonic seconds by which the whole answer must be there.
            sent: batches of a streamed answer that a caller has, of which the maker is gone: the
                answer goes on after them. Without text, tool call or refusal in them it begins
                anew.
            sender: whose request it is, where it has to wait for those of others.

        Raises:
            BadRequest: a backend says that the request itself is wrong, its content policy
                refused it (code `content_policy_violation`), or it fits no context (code
                `context_length_exceeded`).
            NotFound: a backend says that what the request names is not there.
            UpstreamFailed: every candidate failed.
            Overloaded: every candidate is out of capacity for the moment, or left alone.
            DeadlineExceeded: no time is left.
        """
        tries = Tries(request, trail, deadline, self._clock)
        errand = Errand(self._means, plan, tries, rules, prepare, sender)
        if sent and request.streaming:
            return Answer(await taken_over(errand, sent), tries)
        return Answer(Committed(await Course(errand).first(), errand), tries)

"""Responses that are made later: background ones, and lines of a batch.

A background response has its name and its record already; it is kept in that record's place,
before its task ends, and only as long as nobody cancelled it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from serve_app.core.clock import Clock
from serve_app.core.errors import GatewayError
from serve_app.core.job import Job, Outcome
from serve_app.core.types import Chunk
from serve_app.passage import Ask, Facts
from serve_app.wire.problem import OpenAIErrors
from serve_app.wire.responses.making import Json, encode
from serve_app.wire.responses.request import decode
from serve_app.wire.responses.shape import Responses
from serve_app.wire.responses.terms import Terms
from serve_app.wire.shape import Answered
from serve_app.work.performer import OnProgress, Performer, failed, trail_of
from serve_app.work.responses import UNFINISHED, Responding, Wanted, task_of

PATH: Final = "/v1/responses"
NAME: Final = "x-serve-app-response"
"""Of a job's headers: the id of the response that it makes. No caller's header becomes it."""


class ResponseErrand:
    """The performer's way of carrying out a job at `/v1/responses`."""

    def __init__(self, performer: Performer, responding: Responding, clock: Clock) -> None:
        self._performer = performer
        self._responding = responding
        self._clock = clock

    async def __call__(self, job: Job, on_progress: OnProgress | None) -> Outcome:
        response_id = job.headers.get(NAME, "")
        if response_id and (done := await self._done(job, response_id)) is not None:
            return done
        try:
            wanted, ask = await self._wanted(job, response_id)
        except GatewayError as error:
            return failed(OpenAIErrors(), error, trail_of(job))
        wanted.task_id = task_of(response_id) if response_id else ""
        tell = on_progress if wanted.asked.fields.stream else None
        live = wanted.shape = Live(self._clock, wanted.shape.terms, tell)
        outcome = await self._performer.carry(job, live, None, ask, live.hear)
        if outcome.status < 400:
            return await self._kept(job, wanted, live, outcome)
        if response_id and outcome.is_final:
            await self._failed(job, wanted, live)
        return outcome

    async def _done(self, job: Job, response_id: str) -> Outcome | None:
        """What a worker came to that died before it could say so."""
        record = await self._responding.responses.get(job.tenant, response_id)
        if record is None or record.status in UNFINISHED:
            return None
        return Outcome(200, record.response, request_id=job.request_id)

    async def _wanted(self, job: Job, response_id: str) -> tuple[Wanted, Ask]:
        asked = decode(job.body)
        # A line of a batch is kept if it says so: all of a large one would fill Redis.
        is_stored = None if response_id else asked.fields.store is True
        wanted = await self._responding.prepare(job.tenant, asked, response_id, is_stored=is_stored)
        return wanted, self._responding.fit(wanted, self._performer.ask_of(job, wanted.request))

    async def _kept(self, job: Job, wanted: Wanted, live: Live, outcome: Outcome) -> Outcome:
        response_id = job.headers.get(NAME, "")
        was = UNFINISHED if response_id else None
        kept = await self._responding.keep(wanted, live.response, live.facts, was=was)
        if not kept and response_id and (done := await self._done(job, response_id)) is not None:
            return replace(outcome, body=done.body)  # another worker's, or it was cancelled
        await live.tell_end()
        return replace(outcome, body=encode(live.response))

    async def _failed(self, job: Job, wanted: Wanted, live: Live) -> None:
        live.give_up(job.request_id)
        await self._responding.fail(job.tenant, wanted, live.response)
        await live.tell_end()


class Live(Responses):
    """A response that is told while it is made. It is what was heard, not what is collected.

    Args:
        tell: its events, as `text/event-stream`, whole ones.
    """

    def __init__(self, clock: Clock, terms: Terms, tell: OnProgress | None) -> None:
        super().__init__(clock.wall, terms)
        self._tell = tell
        self._error: GatewayError | None = None
        self._is_heard = False
        self.response: Json = {}
        self.facts = Facts()

    async def hear(self, batch: list[Chunk], facts: Facts) -> None:
        self.facts, self._is_heard = facts, True
        making = self.making(facts)
        making.feed(batch)
        await self._told()

    def whole(self, chunk: Chunk, answered: Answered) -> bytes:
        if self._is_heard:
            self.response = self.making(answered).finish()
        else:
            self.response = self.made(chunk, answered)
        return encode(self.response)

    def problem(self, error: GatewayError, request_id: str) -> bytes:
        self._error = error
        return super().problem(error, request_id)

    def give_up(self, request_id: str) -> None:
        """It failed for good."""
        error = self._error or GatewayError("The gateway failed; its log has the request id")
        making = self.making(self.facts)
        self.response = making.fail(error)
        making.tell_error(error, request_id)

    async def tell_end(self) -> None:
        self.making(self.facts).close(self.response)
        await self._told()

    async def _told(self) -> None:
        if self._tell is not None and (events := self.making(self.facts).drain()):
            await self._tell(events.decode())

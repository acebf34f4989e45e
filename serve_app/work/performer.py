"""The performer: carries out a job in this process, by the way that every request goes.

    job -> shape.decode -> the corridor -> (progress while it comes) -> shape.whole -> outcome

What went wrong is an outcome too: the body is what the caller would have got over HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from msgspec import Raw
from msgspec.structs import replace

from serve_app.accounting.ledger import Ledger
from serve_app.core.clock import Clock
from serve_app.core.errors import GatewayError, NotFound, UpstreamFailed
from serve_app.core.job import Job, Outcome
from serve_app.core.trail import Trail
from serve_app.core.types import ChatRequest, Chunk, StreamOptions, Usage
from serve_app.observe.observer import Observer, RequestEnd
from serve_app.passage import Ask, Facts, Reply
from serve_app.steps.control import control_of
from serve_app.wire.problem import OpenAIErrors
from serve_app.wire.reply import Collection
from serve_app.wire.shape import ErrorShape, Shape
from serve_app.wire.shapes import Shapes

logger = logging.getLogger(__name__)

OnProgress = Callable[[str], Awaitable[None]]
"""Told each piece of the answer's text as it comes."""

Hear = Callable[[list[Chunk], Facts], Awaitable[None]]
"""Told all that comes of the answer, as it comes."""

Errand = Callable[[Job, OnProgress | None], Awaitable[Outcome]]
"""A path's own way of carrying out a job, where the body alone does not say what to do."""

_BOOKS_LIMIT_S = 30.0
"""Longest wait for the ledger to have the cost; Redis away for longer, the result cannot be kept
either."""
_BOOKS_AGAIN_S = 0.2
_TRUE = Raw(b"true")
_USAGE = Raw(b'{"include_usage":true}')


class Performer:
    """Carries out jobs.

    Args:
        answer: the way that requests go.
        errands: by path, what is not carried out by its shape alone. May be added to.
    """

    def __init__(
        self,
        answer: Callable[[Ask], Awaitable[Reply]],
        ledger: Ledger,
        observer: Observer,
        shapes: Shapes,
        clock: Clock,
        errands: dict[str, Errand] | None = None,
    ) -> None:
        self._answer = answer
        self._ledger = ledger
        self._observer = observer
        self._shapes = shapes
        self._clock = clock
        self.errands: dict[str, Errand] = errands if errands is not None else {}

    async def perform(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Carry out a job; cancelled, the call at the provider is closed.

        A job with a name (`Job.once`) is in the ledger when its outcome is told.
        """
        if (errand := self.errands.get(job.path)) is not None:
            return await errand(job, on_progress)
        return await self.carry(job, self._shapes.at(job.path), on_progress)

    async def carry(
        self,
        job: Job,
        shape: Shape | None,
        on_progress: OnProgress | None = None,
        ask: Ask | None = None,
        hear: Hear | None = None,
    ) -> Outcome:
        """Carry out a job in a shape.

        Args:
            shape: of the answer; None: nothing can be asked at this path.
            ask: the question, where more than the body says what it is; see `ask_of`.
            hear: told the whole of the answer, in place of its text alone.
        """
        began, trail = time.perf_counter(), trail_of(job) if ask is None else ask.trail
        end = RequestEnd(trail, job.path if shape else "other", 499, 0.0)
        self._observer.begin(trail)
        try:
            outcome = await self._carried(job, shape, hear or _texts_to(on_progress), ask, end)
            if job.once:
                await self._booked(job.tenant)
            end.status, end.error = outcome.status, outcome.code
            return outcome
        finally:
            end.duration_s = time.perf_counter() - began
            self._observer.ended(end)

    def ask_of(self, job: Job, request: ChatRequest, trail: Trail | None = None) -> Ask:
        """The question that a job puts.

        Raises:
            BadRequest: its headers say what cannot be.
        """
        return Ask(
            request=request,
            trail=trail or trail_of(job),
            session=request.session or None,
            path=job.path,
            control=control_of(
                job.headers.get("cache-control"), job.headers.get("x-serve-app-cache-tags")
            ),
            deadline=self._clock.monotonic() + job.deadline_s,
            priority=job.priority,
            key_sha256=job.key,
            tenant=job.tenant,
            once=job.once,
        )

    async def _carried(
        self,
        job: Job,
        shape: Shape | None,
        hear: Hear | None,
        ask: Ask | None,
        end: RequestEnd,
    ) -> Outcome:
        """The outcome, whatever it is."""
        problems = shape or OpenAIErrors()
        try:
            if shape is None:
                raise NotFound(f"No work can be done at {job.path[:80]!r}")
            ask = ask or self.ask_of(job, shape.decode(job.body), end.trail)
            return await self._answered(ask, shape, hear, end)
        except GatewayError as error:
            return failed(problems, error, end.trail)
        except Exception:
            logger.exception("job %s failed", end.trail.request_id)
            unknown = GatewayError("The gateway failed; its log has the request id")
            return failed(problems, unknown, end.trail)

    async def _answered(
        self, ask: Ask, shape: Shape, hear: Hear | None, end: RequestEnd
    ) -> Outcome:
        ask.request = _fitted(ask.request, is_followed=hear is not None)
        reply = await self._answer(ask)
        try:
            async with aclosing(reply):
                body = await _body(shape, reply, hear)
        finally:
            end.learn(reply.facts)
        return _done(body, reply.facts, ask.trail)

    async def _booked(self, tenant: str) -> None:
        """Wait until the ledger has what was used: a worker that dies after that is not paid for
        what the next one does again."""
        give_up_at = self._clock.monotonic() + _BOOKS_LIMIT_S
        while not await self._ledger.confirmed(tenant, 1.0):
            if self._clock.monotonic() > give_up_at:
                logger.warning("the ledger has not confirmed a cost: Redis is away")
                return
            await asyncio.sleep(_BOOKS_AGAIN_S)


def trail_of(job: Job) -> Trail:
    trail = Trail(job.request_id or f"req_{secrets.token_hex(12)}")
    trail.link = job.trace
    return trail


def _fitted(request: ChatRequest, *, is_followed: bool) -> ChatRequest:
    """A request whose answer can be put together again: as a stream if somebody wants to hear of
    it (sound comes in another form then), with its usage."""
    sound = request.endpoint != "chat" or "audio" in (request.params.modalities or ())
    if not request.streaming and (sound or not is_followed):
        return request
    fields = {**request.fields, "stream": _TRUE, "stream_options": _USAGE}
    options = StreamOptions(include_usage=True)
    params = replace(request.params, stream=True, stream_options=options)
    return replace(request, fields=fields, params=params)


async def _body(shape: Shape, reply: Reply, hear: Hear | None) -> bytes:
    """The whole answer, however it comes."""
    whole = reply.whole
    if reply.chunks is not None:
        collection = Collection()
        async for batch in reply.chunks:
            for chunk in batch:
                collection.add(chunk)
            if hear is not None:
                await hear(batch, reply.facts)
        whole = Chunk(raw=collection.body(), whole=True)
    if whole is None:
        raise UpstreamFailed("The backend sent no whole reply", code="empty_reply")
    return shape.whole(whole, reply.facts)


def _texts_to(on_progress: OnProgress | None) -> Hear | None:
    """Who hears of the text only."""
    if on_progress is None:
        return None

    async def hear(batch: list[Chunk], facts: Facts) -> None:
        if text := _text(batch):
            await on_progress(text)

    return hear


def _text(batch: list[Chunk]) -> str:
    """What the first choice says in these chunks."""
    deltas = [c.delta.content for chunk in batch for c in chunk.choices if c.index == 0]
    return "".join(text for text in deltas if text)


def _done(body: bytes, facts: Facts, trail: Trail) -> Outcome:
    usage = facts.usage or Usage()
    return Outcome(
        status=200,
        body=body,
        backend=facts.backend,
        model=facts.model,
        cache=facts.cache,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cost_micro_usd=facts.cost_micro_usd,
        request_id=trail.request_id,
    )


def failed(shape: ErrorShape, error: GatewayError, trail: Trail) -> Outcome:
    """What came of a job that could not be done."""
    return Outcome(
        status=error.status,
        body=shape.problem(error, trail.request_id),
        code=error.code,
        is_final=not error.retryable,
        retry_after_s=error.retry_after_s or 0.0,
        request_id=trail.request_id,
    )

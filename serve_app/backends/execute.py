"""A plan carried out: the first candidate that begins to answer has the request.

Until the first content nothing is committed, so a failure before it is invisible to the caller:
it is tried again once or the next candidate steps in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random

import msgspec
from msgspec import Raw, Struct

from serve_app.backends.base import FULL, AttemptFailed, Backend, Batches, Call
from serve_app.backends.committed import Committed
from serve_app.backends.patience import TIMEOUT
from serve_app.backends.refusal import CONTEXT
from serve_app.backends.tries import MIN_ATTEMPT_S, Tries
from serve_app.core.clock import Clock
from serve_app.core.trail import Trail
from serve_app.core.types import Candidate, ChatRequest, Chunk, Plan
from serve_app.vitals.book import Vitals
from serve_app.vitals.breaker import Breaker

BACKOFF_S = 0.1
"""Mean pause before the one retry at the same candidate."""

MAX_PAUSE_S = 2.0
"""A provider that asks for a longer pause is left for the next candidate."""

MAX_HELD = 1000
"""Chunks without content that are held while a candidate is not committed yet."""

Prepare = Callable[[Candidate], dict[str, bytes]]
"""What a candidate's request differs in: top-level fields as raw JSON."""


class Answer(Struct, frozen=True):
    """A candidate that has begun to answer. Close `chunks`, whatever happens."""

    candidate: Candidate
    chunks: Committed
    attempts: int


class Executor:
    """Carries plans out over the backends of this process.

    Args:
        backends: by name.
        vitals: of their models; read and written.
        rng: for the jitter of pauses.
        sleep: how to wait, in seconds.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        vitals: Vitals,
        clock: Clock,
        rng: Random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._backends = backends
        self._clock = clock
        self._rng = rng
        self._sleep = sleep
        self._vitals = vitals

    async def start(
        self,
        plan: Plan,
        request: ChatRequest,
        trail: Trail,
        deadline: float,
        prepare: Prepare | None = None,
    ) -> Answer:
        """Try the candidates in order until one begins to answer.

        Args:
            deadline: monotonic seconds by which the whole answer must be there.

        Raises:
            BadRequest: a backend says that the request itself is wrong.
            UpstreamFailed: every candidate failed.
            Overloaded: every candidate is out of capacity for the moment.
            DeadlineExceeded: no time is left.
        """
        tries = Tries(request, trail, deadline, self._clock)
        resting: list[Candidate] = []
        for candidate in plan.candidates:
            if candidate.backend not in self._backends:
                tries.skipped(candidate, "the backend is off")
            elif not await self._vitals.may_try(candidate.backend, candidate.model):
                resting.append(candidate)
                tries.skipped(candidate, "it failed too often lately")
            elif (answer := await self._try(candidate, tries, prepare)) is not None:
                return answer
        if resting and not tries.count:
            longest = min(resting, key=lambda c: self._breaker(c).failed_at)
            if (answer := await self._try(longest, tries, prepare)) is not None:
                return answer
        raise tries.all_failed()

    def _breaker(self, candidate: Candidate) -> Breaker:
        return self._vitals.of(candidate.backend, candidate.model).breaker

    async def _try(
        self, candidate: Candidate, tries: Tries, prepare: Prepare | None
    ) -> Answer | None:
        """One candidate, a second time if that can help; None if another has to do it."""
        breaker = self._breaker(candidate)
        body = upstream_body(tries.request, candidate, prepare)
        for is_last in (False, True):
            began = tries.begin()
            try:
                return await self._attempt(candidate, body, tries, breaker, began)
            except asyncio.CancelledError:
                tries.abandoned(candidate, began)
                raise
            except AttemptFailed as failed:
                _report(failed, breaker)
                tries.failed(candidate, failed, began)
                pause_s = None if is_last or breaker.is_open else self._pause_s(failed, tries)
            if pause_s is None:
                return None
            await self._sleep(pause_s)
        return None

    async def _attempt(
        self, candidate: Candidate, body: bytes, tries: Tries, breaker: Breaker, began: float
    ) -> Answer:
        call = Call(
            backend=candidate.backend,
            model=candidate.model,
            body=body,
            stream=tries.request.streaming,
            request_id=tries.trail.request_id,
            timeout_s=tries.left_s(),
            choices=tries.request.params.n or 1,
        )
        batches = self._backends[candidate.backend].run(call)
        try:
            first = await _until_content(batches)
        except BaseException:
            await batches.aclose()
            raise
        if breaker.is_open:
            breaker.succeeded()
        tries.answered(candidate, began)
        chunks = Committed(candidate, first, batches, breaker, tries.trail)
        return Answer(candidate, chunks, tries.count)

    def _pause_s(self, failed: AttemptFailed, tries: Tries) -> float | None:
        """Seconds until a second try at the same candidate, None if there is to be none."""
        if failed.kind != "transient" or failed.code == TIMEOUT:
            return None
        pause_s = (failed.retry_after_s or 0.0) + BACKOFF_S * self._rng.uniform(0.5, 1.5)
        fits = pause_s <= MAX_PAUSE_S and pause_s + MIN_ATTEMPT_S < tries.left_s()
        return pause_s if fits else None


async def _until_content(batches: Batches) -> list[Chunk]:
    """The chunks up to the first that decides for a candidate: content, or an end."""
    held: list[Chunk] = []
    async for batch in batches:
        held = held + batch if held else batch
        if any(_decides(chunk) for chunk in batch):
            return held
        if len(held) > MAX_HELD:
            raise AttemptFailed("candidate", f"no content in {MAX_HELD} events")
    raise AttemptFailed("transient", "the reply is empty", code="truncated")


def _decides(chunk: Chunk) -> bool:
    return chunk.whole or chunk.has_content() or any(c.finish_reason for c in chunk.choices)


def _report(failed: AttemptFailed, breaker: Breaker) -> None:
    """Tell the breaker. A refusal of this one request shows that the backend is well."""
    if failed.kind == "caller" or failed.code == CONTEXT:
        breaker.succeeded()
    elif (failed.retry_after_s or 0.0) > MAX_PAUSE_S:
        breaker.rest(failed.retry_after_s or 0.0)
    elif failed.code != FULL:
        breaker.failed()


# -------------------------------------------------------------- the body upstream

_USAGE_TOO = b'{"include_usage":true}'
_decode_options = msgspec.json.Decoder(dict[str, Raw]).decode


def upstream_body(request: ChatRequest, candidate: Candidate, prepare: Prepare | None) -> bytes:
    """The request as this candidate gets it: its own model name, and usage asked for."""
    changes = {} if prepare is None else dict(prepare(candidate))
    changes["model"] = msgspec.json.encode(candidate.model)
    if request.streaming and not request.wants_usage_chunk:
        changes["stream_options"] = _with_usage(request)
    return request.body(**changes)


def _with_usage(request: ChatRequest) -> bytes:
    if request.params.stream_options is None:
        return _USAGE_TOO
    options = _decode_options(request.fields["stream_options"])
    return msgspec.json.encode({**options, "include_usage": True})

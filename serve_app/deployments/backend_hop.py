"""A backend on the other side of a hop: many calls in one message, many chunks in one answer.

The caller opens one streaming call for the requests that wait; the replica runs them side by
side and sends what any of them has to say, tagged with its place in the batch: the first
content of a call at once, the rest gathered for a few milliseconds. Streams travel alone, so
that a slow reader holds up nobody else; whole replies travel together.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from serve_app.backends.base import AttemptFailed, Backend, Call, FailureKind, Health
from serve_app.backends.patience import TIMEOUT
from serve_app.core.types import Chunk, Headroom
from serve_app.deployments.hop import HopFailed

GATHER_S = 0.003
"""How long a replica gathers before it sends again."""

GATHER_CHUNKS = 32
GATHER_BYTES = 64 << 10
"""So many gathered chunks, or bytes of them, are sent without waiting longer."""

_MAX_BATCH = 64
_ARRIVAL_S = 1.0
"""The next batch leaves after so long even if the last one was not seen to arrive."""
_QUEUE = 8
"""Messages that wait for a slow reader; the backend then waits too."""


class Failure(Struct, frozen=True, gc=False):
    """An `AttemptFailed` as a value."""

    kind: FailureKind
    message: str
    status: int
    code: str
    param: str | None
    retry_after_s: float | None

    @classmethod
    def of(cls, error: AttemptFailed) -> Failure:
        return cls(
            error.kind, error.message, error.status, error.code, error.param, error.retry_after_s
        )

    def error(self) -> AttemptFailed:
        return AttemptFailed(
            self.kind,
            self.message,
            status=self.status,
            code=self.code,
            param=self.param,
            retry_after_s=self.retry_after_s,
        )


class News(Struct, gc=False):
    """What one call of a batch has to say."""

    call: int
    chunks: list[Chunk] = []
    ended: bool = False
    failure: Failure | None = None
    headroom: Headroom | None = None
    """With `ended`: what the provider's rate limits still allow."""


class Batch(Struct, frozen=True):
    """Calls that travel together; `ids` name them for cancelling."""

    ids: list[str]
    calls: list[Call]


_encode = msgspec.msgpack.encode
_news = msgspec.msgpack.Decoder(list[News])
_batch = msgspec.msgpack.Decoder(Batch)
_health = msgspec.msgpack.Decoder(Health)


# ------------------------------------------------------------- the replica's side


class BatchRunner:
    """Runs batches of calls on a backend. Plain asyncio; the Ray shell only passes bytes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self, payload: bytes) -> AsyncGenerator[bytes, None]:
        """Messages of `News` for one batch; the first is empty and says the batch arrived."""
        batch = _batch.decode(payload)
        outbox = _Outbox(len(batch.calls))
        tasks = {
            call_id: asyncio.create_task(self._run_one(at, call, outbox))
            for at, (call_id, call) in enumerate(zip(batch.ids, batch.calls, strict=True))
        }
        self._running.update(tasks)
        try:
            yield _encode([])
            while (news := await outbox.take()) is not None:
                yield _encode(news)
        finally:
            for call_id, task in tasks.items():
                self._running.pop(call_id, None)
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    def cancel(self, call_ids: list[str]) -> None:
        """Stop these calls if they run here."""
        for call_id in call_ids:
            if (task := self._running.get(call_id)) is not None:
                task.cancel()

    async def health(self) -> bytes:
        return _encode(await self._backend.health())

    async def _run_one(self, at: int, call: Call, outbox: _Outbox) -> None:
        failure: Failure | None = None
        stream = self._backend.run(call)
        try:
            async for chunks in stream:
                await outbox.put(News(at, chunks))
        except AttemptFailed as error:
            failure = Failure.of(error)
        except Exception as error:  # noqa: BLE001 - one call's bug must not end the batch
            failure = Failure(
                "transient", f"{type(error).__name__} in the backend", 0, "", None, None
            )
        finally:
            await _close(stream)
            headroom = self._backend.headroom(call.model)
            outbox.end(News(at, ended=True, failure=failure, headroom=headroom))


class _Outbox:
    """News of a batch's calls on their way out: first words at once, the rest gathered."""

    def __init__(self, calls: int) -> None:
        self._open = calls
        self._news: list[News] = []
        self._chunks = 0
        self._bytes = 0
        self._urgent = asyncio.Event()
        self._any = asyncio.Event()
        self._taken = asyncio.Event()
        self._spoke: set[int] = set()

    async def put(self, news: News) -> None:
        while self._is_full():  # the other side is slower than the backend
            self._taken.clear()
            await self._taken.wait()
        first = news.call not in self._spoke
        self._spoke.add(news.call)
        self._add(news, urgent=first)

    def end(self, news: News) -> None:
        self._open -= 1
        self._add(news, urgent=self._open == 0)

    def _add(self, news: News, *, urgent: bool) -> None:
        self._news.append(news)
        self._chunks += len(news.chunks)
        self._bytes += sum([len(chunk.raw) for chunk in news.chunks])
        self._any.set()
        if urgent or self._chunks >= GATHER_CHUNKS or self._bytes >= GATHER_BYTES:
            self._urgent.set()

    def _is_full(self) -> bool:
        return self._chunks > 4 * GATHER_CHUNKS or self._bytes > 4 * GATHER_BYTES

    async def take(self) -> list[News] | None:
        """What has gathered; None once every call has ended and all was taken."""
        if not self._news:
            if self._open == 0:
                return None
            await self._any.wait()
        if not self._urgent.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._urgent.wait()
        news, self._news = self._news, []
        self._chunks = self._bytes = 0
        self._any.clear()
        self._urgent.clear()
        self._taken.set()
        return news


# -------------------------------------------------------------- the caller's side


class Wire(Protocol):
    """How batches get across; the Ray handle in production."""

    def open(self, payload: bytes) -> AsyncGenerator[bytes, None]:
        """Start a batch; closing the generator cancels all of it. Raises `HopFailed`."""

    async def cancel(self, call_ids: list[str]) -> None:
        """Cancel single calls of a batch, wherever it runs."""

    async def health(self) -> bytes:
        """The backend's health. Raises `HopFailed`."""


class RemoteBackend:
    """A `Backend` whose work is done by another deployment."""

    def __init__(self, name: str, wire: Wire) -> None:
        self.name = name
        self._wire = wire
        self._waiting: deque[_Pending] = deque()
        self._opening = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = itertools.count()
        self._headroom: dict[str, tuple[float, Headroom]] = {}

    async def run(self, call: Call) -> AsyncGenerator[list[Chunk], None]:
        """Answer one call; see `Backend.run`."""
        pending = _Pending(f"{call.request_id}/{next(self._ids)}", call)
        if call.stream:
            self._spawn(self._travel([pending]))
        else:
            self._waiting.append(pending)
            if not self._opening:
                self._opening = True
                self._spawn(self._dispatch())
        late = AttemptFailed("transient", f"{self.name} did not answer in time", code=TIMEOUT)
        limit = asyncio.get_running_loop().call_later(call.timeout_s + 5, pending.fail, late)
        try:
            while (chunks := await pending.next()) is not None:
                yield chunks
        finally:
            limit.cancel()
            self._abandon(pending)
            if pending.headroom is not None:
                now = asyncio.get_running_loop().time()
                self._headroom[call.model] = (now, pending.headroom)

    def headroom(self, model: str) -> Headroom | None:
        """What the last call that ended was told; see `Backend.headroom`."""
        at, headroom = self._headroom.get(model, (0.0, None))
        if headroom is None:
            return None
        left_s = headroom.resets_in_s - (asyncio.get_running_loop().time() - at)
        return replace(headroom, resets_in_s=left_s) if left_s > 0 else None

    async def health(self) -> Health:
        try:
            return _health.decode(await self._wire.health())
        except HopFailed as error:
            return Health(ok=False, detail=str(error))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Awaitable[None]) -> None:
        """Run outside the request's context, in which Serve would cancel what it finds."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(_await(work), context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _dispatch(self) -> None:
        """Open batches one after the other; what arrives meanwhile rides in the next."""
        try:
            while self._waiting:
                size = min(len(self._waiting), _MAX_BATCH)
                batch = [self._waiting.popleft() for _ in range(size)]
                arrived = asyncio.Event()
                self._spawn(self._travel(batch, arrived))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_ARRIVAL_S):
                        await arrived.wait()
        finally:
            self._opening = False

    async def _travel(self, batch: list[_Pending], arrived: asyncio.Event | None = None) -> None:
        batch = [pending for pending in batch if not pending.left]
        trip = _Trip(batch)
        for pending in batch:
            pending.trip = trip
        payload = _encode(Batch([p.id for p in batch], [p.call for p in batch]))
        stream = self._wire.open(payload)
        trip.task = asyncio.current_task()
        try:
            async for message in stream:
                if arrived is not None:
                    arrived.set()
                for news in _news.decode(message):
                    await batch[news.call].put(news)
            trip.fail(AttemptFailed("transient", f"{self.name} ended without an answer"))
        except (HopFailed, msgspec.MsgspecError) as error:
            trip.fail(AttemptFailed("transient", f"{self.name} cannot be reached: {error}"))
        finally:
            if arrived is not None:
                arrived.set()
            await _close(stream)
            trip.fail(AttemptFailed("transient", f"{self.name} was stopped"))

    def _abandon(self, pending: _Pending) -> None:
        """The caller is done with a call; stop its work if there is some left."""
        pending.left = True
        trip = pending.trip
        if pending.ended or trip is None or trip.task is None:
            return
        if trip.all_left():
            trip.task.cancel()
        else:
            self._spawn(self._wire.cancel([pending.id]))


class _Pending:
    """One call on the caller's side."""

    def __init__(self, call_id: str, call: Call) -> None:
        self.id = call_id
        self.call = call
        self.trip: _Trip | None = None
        self.left = False
        self.ended = False
        self.headroom: Headroom | None = None
        self._news: asyncio.Queue[News | AttemptFailed] = asyncio.Queue(_QUEUE)

    async def put(self, news: News) -> None:
        """Hand over news, waiting while the caller is slower than the backend."""
        if news.ended:
            self.ended = True
            self.headroom = news.headroom
        if not self.left:
            await self._news.put(news)

    def fail(self, error: AttemptFailed) -> None:
        if not self.ended:
            self.ended = True
            if self._news.full():
                self._news.get_nowait()
            self._news.put_nowait(error)

    async def next(self) -> list[Chunk] | None:
        """The next chunks, None at the end."""
        while True:
            news = await self._news.get()
            if isinstance(news, AttemptFailed):
                raise news
            if news.failure is not None:
                raise news.failure.error()
            if news.ended:
                return None
            if news.chunks:
                return news.chunks


class _Trip:
    """The calls of one batch and the task that reads their news."""

    def __init__(self, calls: list[_Pending]) -> None:
        self._calls = calls
        self.task: asyncio.Task[None] | None = None

    def all_left(self) -> bool:
        return all(call.left or call.ended for call in self._calls)

    def fail(self, error: AttemptFailed) -> None:
        for call in self._calls:
            call.fail(error)


async def _await(work: Awaitable[None]) -> None:
    await work


async def _close(stream: AsyncIterator[object]) -> None:
    closing: Callable[[], Awaitable[None]] | None = getattr(stream, "aclose", None)
    if closing is not None:
        await closing()

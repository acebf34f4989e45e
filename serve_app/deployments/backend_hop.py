"""A backend on the other side of a hop: many calls in one message, many chunks in one answer.

The caller opens one streaming call for the requests that wait; the replica (`batch_runner.py`)
runs them side by side and sends what any of them has to say, tagged with its place in the batch.
Streams travel alone, so that a slow reader holds up nobody else; whole replies travel together.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Awaitable
from typing import NamedTuple, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from serve_app.backends.base import AttemptFailed, Call, Health
from serve_app.backends.patience import TIMEOUT
from serve_app.core.types import Chunk
from serve_app.core.vital import Headroom
from serve_app.deployments.backend_news import Batch, News
from serve_app.deployments.hop import HopFailed
from serve_app.vitals.summary import aged

_MAX_BATCH = 64
_ARRIVAL_S = 1.0
"""The next batch leaves after so long even if the last one was not seen to arrive."""
_QUEUE = 4
"""Messages that wait for a slow reader; the backend then waits too."""

_encode = msgspec.msgpack.encode
_news = msgspec.msgpack.Decoder(list[News])
_health = msgspec.msgpack.Decoder(Health)


class Wire(Protocol):
    """How batches get across; the Ray handle in production."""

    def open(self, payload: bytes) -> AsyncGenerator[bytes, None]:
        """Start a batch; closing the generator cancels all of it. Raises `HopFailed`."""

    async def cancel(self, call_ids: list[str]) -> None:
        """Cancel single calls of a batch, wherever it runs."""

    async def health(self) -> bytes:
        """The backend's health. Raises `HopFailed`."""


class _Told(NamedTuple):
    headroom: Headroom
    at: float


class RemoteBackend:
    """A `Backend` whose work is done by another deployment."""

    tells_trace = True  # The deployment knows whom.

    def __init__(self, name: str, wire: Wire) -> None:
        self.name = name
        self._wire = wire
        self._waiting: deque[_Pending] = deque()
        self._opening = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = itertools.count()
        self._told: dict[str, _Told] = {}

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

    def headroom(self, model: str) -> Headroom | None:
        """As a replica told it last; see `Backend.headroom`."""
        told = self._told.get(model)
        return None if told is None else aged(told.headroom, _now() - told.at)

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
                    pending = batch[news.call]
                    self._note(pending.call.model, news.headroom)
                    await pending.put(news)
            trip.fail(AttemptFailed("transient", f"{self.name} ended without an answer"))
        except (HopFailed, msgspec.MsgspecError) as error:
            trip.fail(AttemptFailed("transient", f"{self.name} cannot be reached: {error}"))
        finally:
            if arrived is not None:
                arrived.set()
            await stream.aclose()
            trip.fail(AttemptFailed("transient", f"{self.name} was stopped"))

    def _note(self, model: str, headroom: Headroom | UnsetType | None) -> None:
        if headroom is None:
            self._told.pop(model, None)
        elif headroom is not UNSET:
            self._told[model] = _Told(headroom, _now())

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
        self._news: asyncio.Queue[News | AttemptFailed] = asyncio.Queue(_QUEUE)

    async def put(self, news: News) -> None:
        """Hand over news, waiting while the caller is slower than the backend."""
        if news.ended:
            self.ended = True
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


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _await(work: Awaitable[None]) -> None:
    await work

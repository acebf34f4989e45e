"""The replica's side of a backend's hop: a batch of calls in, what any of them says out.

They run side by side. The first content of a call goes out at once, the rest is gathered for a
few milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import msgspec
from msgspec import UNSET

from serve_app.backends.base import AttemptFailed, Backend, Call
from serve_app.deployments.backend_news import Batch, Failure, News

GATHER_S = 0.003
"""How long a replica gathers before it sends again."""

GATHER_CHUNKS = 32
GATHER_BYTES = 64 << 10
"""So many gathered chunks, or bytes of them, are sent without waiting longer."""

_encode = msgspec.msgpack.encode
_batch = msgspec.msgpack.Decoder(Batch)


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
        has_begun = False
        try:
            async for chunks in stream:
                left = UNSET if has_begun else self._backend.headroom(call.model)
                await outbox.put(News(at, chunks, headroom=left))
                has_begun = True
        except AttemptFailed as error:
            failure = Failure.of(error)
        except Exception as error:  # noqa: BLE001 - one call's bug must not end the batch
            failure = Failure(
                "transient", f"{type(error).__name__} in the backend", 0, "", None, None
            )
        finally:
            await stream.aclose()
            left = self._backend.headroom(call.model)
            outbox.end(News(at, ended=True, failure=failure, headroom=left))


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

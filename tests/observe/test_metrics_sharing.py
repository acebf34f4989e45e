"""What processes count reaches the totals once, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.observe import sharing
from serve_app.observe.sharing import Sharing
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

FIELD = "serve_app_cache_lookups_total\nlevel=l1\n"
OTHER = "serve_app_cache_lookups_total\nlevel=l2\n"
NOWHERE = "redis://127.0.0.1:1"


class Wire:
    """Between a process and Redis: can keep back what Redis answers."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_deaf = False
        self.kept_back = asyncio.Event()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.ensure_future(self._carry(reader, writer)))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_unix_connection(self._socket)
        back = asyncio.ensure_future(self._carry_back(from_redis, writer))
        while data := await reader.read(65536):
            to_redis.write(data)
        to_redis.close()
        await back
        writer.close()

    async def _carry_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.is_deaf:
                self.kept_back.set()
            else:
                writer.write(data)

    async def close(self) -> None:
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def wired(valkey: EmbeddedValkey) -> AsyncIterator[tuple[Wire, Store]]:
    wire = Wire(valkey.url.removeprefix("unix://"))
    server = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    settings = RedisSettings(timeout_ms=200, breaker_failures=1000)
    port = server.sockets[0].getsockname()[1]
    store = Store(settings, SystemClock(), f"redis://127.0.0.1:{port}")
    async with server:
        yield wire, store
        await store.close()
        await wire.close()


async def totals(store: Store) -> dict[str, int]:
    found = await Sharing(store).read()
    assert found.is_complete
    return found.totals


async def test_the_totals_are_of_all_processes(store: Store) -> None:
    first, second = Sharing(store), Sharing(store)
    for number in range(10):
        first.add(FIELD, number)
        second.add(FIELD, 1)
        await asyncio.gather(first.push(), second.push())
    second.add(OTHER, 7)
    assert (await second.read()).totals == {FIELD: 55, OTHER: 7}
    assert (await first.read()).totals == {FIELD: 55, OTHER: 7}


async def test_a_batch_that_may_have_arrived_is_counted_once(clean_valkey: EmbeddedValkey) -> None:
    async with wired(clean_valkey) as (wire, store):
        process = Sharing(store)
        process.add(FIELD, 3)
        wire.is_deaf = True
        assert not await process.push()
        await wire.kept_back.wait()  # Redis has added it, and nobody heard of it
        process.add(FIELD, 4)
        wire.is_deaf = False
        assert (await process.read()).totals == {FIELD: 7}
        assert await totals(store) == {FIELD: 7}


async def test_more_than_a_batch_goes_in_several(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_BATCH", 3)
    process = Sharing(store)
    fields = {f"serve_app_cache_lookups_total\nlevel={number}\n": number for number in range(10)}
    for field, count in fields.items():
        process.add(field, count)
    assert (await process.read()).totals == fields


async def test_without_redis_what_is_known_grows_by_what_is_counted_here(
    clean_valkey: EmbeddedValkey,
) -> None:
    async with wired(clean_valkey) as (wire, store):
        other, process = Sharing(store), Sharing(store)
        other.add(FIELD, 10)
        await other.push()
        process.add(FIELD, 1)
        assert (await process.read()).totals == {FIELD: 11}
        process.add(FIELD, 1)
        assert await process.push()
        wire.is_deaf = True
        process.add(FIELD, 1)
        found = await process.read()
        assert (found.totals, found.is_complete) == ({FIELD: 13}, False)
        process.add(FIELD, 1)
        assert (await process.read()).totals == {FIELD: 14}
        wire.is_deaf = False
        assert (await process.read()).totals == {FIELD: 14}


async def test_closing_takes_the_last_counts_along_and_the_gauges_away(store: Store) -> None:
    process, other = Sharing(store), Sharing(store)
    process.tell({"serve_app_tasks_here\n": 2.0})
    await process.push()
    other.tell({"serve_app_tasks_here\n": 3.0})
    process.add(FIELD, 1)
    assert len((await other.read()).gauges) == 2
    assert await process.close(5)
    found = await other.read()
    assert found.totals == {FIELD: 1}
    assert found.gauges == [{"serve_app_tasks_here\n": 3.0}]


async def test_closing_without_redis_ends_and_says_that_counts_are_lost() -> None:
    store = Store(RedisSettings(timeout_ms=50), SystemClock(), NOWHERE)
    process = Sharing(store)
    process.add(FIELD, 1)
    assert not await process.close(0.2)
    await store.close()


async def test_gauges_of_a_process_that_is_not_heard_of_again_end(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    with Redis.from_url(clean_valkey.url) as redis:
        ended = b"%013d" % 1 + b"\x81\xa1a\x01"
        redis.hset(keys.metrics("gauges"), "dead", ended)
        process = Sharing(store)
        process.tell({"serve_app_tasks_here\n": 1.0})
        assert (await process.read()).gauges == [{"serve_app_tasks_here\n": 1.0}]
        assert redis.hlen(keys.metrics("gauges")) == 1

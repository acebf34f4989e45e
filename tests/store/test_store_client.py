import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from redis import Redis
from store.turn_script import APPEND, added
from store.valkey_cluster import ClusterServers

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.store import address
from serve_app.store.client import Command, Store, StoreUnavailable
from serve_app.store.embedded import EmbeddedValkey


@pytest.fixture(params=["server", "valkey", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """Of one server, and of clusters; nothing is stored there."""
    if request.param == "server":
        server: EmbeddedValkey = request.getfixturevalue("clean_valkey")
        return server.url
    cluster: ClusterServers = request.getfixturevalue(f"{request.param}_cluster")
    cluster.clean()
    return cluster.url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with opened(url, timeout_ms=5000) as store:
        yield store


def flush_scripts(url: str) -> None:
    cluster = address.parse(url) if address.is_cluster(url) else None
    for one in [url] if cluster is None else map(cluster.url_of, cluster.seeds):
        with Redis.from_url(one) as client:
            client.script_flush()


@asynccontextmanager
async def opened(url: str, clock: FakeClock | None = None, **limits: int) -> AsyncIterator[Store]:
    store = Store(RedisSettings.model_validate(limits), clock or SystemClock(), url)
    try:
        yield store
    finally:
        await store.close()


class Silent:
    """A server that accepts and reads but never answers, until it is told to echo PONG."""

    def __init__(self) -> None:
        self.connections = 0
        self.answering = False
        self.running: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.running.add(asyncio.ensure_future(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while await reader.read(4096):
            if self.answering:
                writer.write(b"+PONG\r\n")
        writer.close()


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[Silent, str]]:
    silent = Silent()
    server = await asyncio.start_server(silent.accept, "127.0.0.1", 0)
    async with server:
        yield silent, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*silent.running)


async def test_a_value_comes_back_until_its_time_is_over(store: Store) -> None:
    await store.set("k", b"\x00\xff", None)
    assert await store.get("k") == b"\x00\xff"
    assert await store.pipeline([("PTTL", "k")]) == [-1]
    await store.set("k", b"v", 60.5)
    assert 60_000 < (await store.pipeline([("PTTL", "k")]))[0] <= 60_500
    assert await store.delete("k", "other") == 1
    assert await store.get("k") is None


async def test_keys_anywhere_are_deleted_in_one_call(store: Store) -> None:
    for i in range(20):
        await store.set(f"k{i}", b"v")
    assert await store.delete(*(f"k{i}" for i in range(25))) == 20
    assert await store.delete() == 0
    assert await store.pipeline([("EXISTS", f"k{i}") for i in range(20)]) == [0] * 20


async def test_many_values_come_in_order(store: Store) -> None:
    await store.set("{x}a", b"1", 60)
    await store.set("{x}c", b"3", 60)
    assert await store.get_many(["{x}a", "{x}b", "{x}c"]) == [b"1", None, b"3"]
    assert await store.get_many([]) == []


async def test_a_pipeline_answers_in_order(store: Store) -> None:
    for transaction in (False, True):
        commands = [("SET", "n", 1), ("INCRBY", "n", 4), ("GET", "n")]
        replies = await store.pipeline(commands, transaction=transaction)
        assert replies == [True, 5, b"5"]
    assert await store.pipeline([]) == []


async def test_a_long_pipeline_over_many_keys_answers_in_order(store: Store) -> None:
    numbers = range(500)
    await store.pipeline([("SET", f"k{i}", i) for i in numbers])
    assert await store.pipeline([("GET", f"k{i}") for i in numbers]) == [b"%d" % i for i in numbers]


async def test_a_walk_names_every_key_that_fits(store: Store) -> None:
    await store.pipeline([("SET", f"{kind}:{i}", i) for kind in ("yes", "no") for i in range(300)])
    portions = [names async for names in store.scan("yes:*", 50)]
    assert {name for names in portions for name in names} == {b"yes:%d" % i for i in range(300)}


async def test_a_refused_command_names_no_value(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await store.set("k", b"secret", None)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="WRONGTYPE") as refused:
            await store.pipeline([("SET", "other", "secret"), ("LPUSH", "k", "secret")])
        assert "secret" not in str(refused.value)
    assert not store.is_open
    assert len(caplog.records) == 1


async def test_a_transaction_with_a_mistake_does_nothing_and_names_no_value(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="wrong number") as refused:
        await store.pipeline([("SET", "k", "v"), ("HSET", "k", "secret")], transaction=True)
    assert "secret" not in str(refused.value)
    assert await store.get("k") is None
    with pytest.raises(StoreUnavailable, match="WRONGTYPE") as refused:
        await store.pipeline([("SET", "k", "v"), ("LPUSH", "k", "secret")], transaction=True)
    assert "secret" not in str(refused.value)


async def test_scripts_survive_a_flush_of_the_script_cache(store: Store, url: str) -> None:
    names = [f"list{i}" for i in range(8)]
    calls = [added(name) for name in names]
    for turns in (1, 3):
        assert await store.script(APPEND, *calls[0]) == [1, turns]
        first, *others = await store.scripts(APPEND, calls)
        assert first == [1, turns + 1]
        assert others == [[1, turns // 2 + 1]] * 7
        flush_scripts(url)


async def test_a_mistake_in_a_script_is_seen_in_the_log(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StoreUnavailable, match=f"script {APPEND} was refused"):
        await store.script(APPEND, *added("list", "not a number"))
    assert [r.levelno for r in caplog.records] == [logging.ERROR]


async def test_a_server_that_is_not_there_opens_the_breaker() -> None:
    async with silent_server() as (_, url):
        pass
    async with opened(url, FakeClock(), breaker_failures=3) as store:
        for _ in range(3):
            assert not store.is_open
            with pytest.raises(StoreUnavailable):
                await store.get("k")
        assert store.is_open


async def test_a_silent_server_is_asked_once_an_interval_and_found_again() -> None:
    clock = FakeClock()
    async with silent_server() as (silent, url), opened(url, clock, timeout_ms=20) as store:
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="no answer"):
                await store.ping()
        before = silent.connections
        for _ in range(20):
            with pytest.raises(StoreUnavailable, match="away"):
                await store.ping()
        assert silent.connections == before
        silent.answering = True
        clock.advance(1.0)
        await store.ping()
        assert not store.is_open


async def test_many_commands_at_once_wait_for_a_connection(url: str) -> None:
    async with opened(url, pool=2, timeout_ms=5000) as store:
        await asyncio.gather(*(store.set(f"k{i}", b"%d" % i) for i in range(200)))
        values = await asyncio.gather(*(store.get(f"k{i}") for i in range(200)))
        assert values == [b"%d" % i for i in range(200)]
        clients = (await store.pipeline([("CLIENT", "LIST")]))[0]
        assert len(clients.splitlines()) <= 2


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_in_a_busy_loop_a_connection_is_made_nevertheless(
    clean_valkey: EmbeddedValkey, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def read_on_a_cold_connection() -> None:
        async with opened(clean_valkey.url, timeout_ms=20) as store:
            busy = asyncio.ensure_future(stall_each_turn(0.015))
            assert await store.get("k") is None
            busy.cancel()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(read_on_a_cold_connection())


async def stall_each_turn(seconds: float) -> None:
    while True:
        time.sleep(seconds)  # noqa: ASYNC251
        await asyncio.sleep(0)


async def test_waiting_for_a_connection_in_vain_is_not_blamed_on_redis() -> None:
    async with silent_server() as (_, url), opened(url, pool=1, timeout_ms=20) as store:
        store_calls = [asyncio.ensure_future(store.get("k")) for _ in range(30)]
        results = await asyncio.gather(*store_calls, return_exceptions=True)
        assert {type(r) for r in results} == {StoreUnavailable}


async def test_a_cancelled_command_leaves_its_reply_to_nobody(url: str) -> None:
    dice = random.Random(7)

    async def echo(store: Store, text: bytes) -> None:
        call: list[Command] = [("EVAL", "return ARGV[1]", 1, f"k{i}", text) for i in range(9)]
        size = dice.choice((1, 2, 9))
        assert await store.pipeline(call[:size]) == [text] * size

    async with opened(url, pool=4, timeout_ms=5000) as store:
        for round_ in range(60):
            tasks = [asyncio.ensure_future(echo(store, b"%d-%d" % (round_, i))) for i in range(12)]
            for _ in range(dice.randrange(12)):
                await asyncio.sleep(0)
            victims = [task for task in tasks if dice.random() < 0.5]
            for task in victims:
                task.cancel()
                if dice.random() < 0.3:
                    await asyncio.sleep(0)
                    task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            wrong = [r for r in results if r is not None and not _was_cancelled(r)]
            assert wrong == []
        # No connection was lost to the cancellations either.
        await asyncio.gather(*(echo(store, b"%d" % i) for i in range(40)))


def _was_cancelled(result: object) -> bool:
    return isinstance(result, asyncio.CancelledError)


async def test_a_restarted_server_is_found_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = EmbeddedValkey(tmp_path_factory.mktemp("v"))
    server.start()
    try:
        clock = FakeClock()
        async with opened(server.url, clock, timeout_ms=5000) as store:
            await store.set("k", b"v")
            server.stop()
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    await store.get("k")
            assert store.is_open
            server.start()
            clock.advance(1.0)
            assert await store.get("k") == b"v"
    finally:
        server.stop()

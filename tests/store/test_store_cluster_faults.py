"""A cluster whose servers die, hang, leave and come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from store.turn_script import APPEND, added
from store.valkey_cluster import ClusterServers, Server

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import Clock, FakeClock, SystemClock
from serve_app.store.client import Store, StoreUnavailable
from serve_app.store.embedded import EmbeddedValkey
from serve_app.store.slots import SLOTS, slot_of_key

LATER_S = 1.1
"""After which a breaker lets a probe through, and the map may be asked for again."""


@asynccontextmanager
async def opened(url: str, clock: Clock | None = None, **limits: int) -> AsyncIterator[Store]:
    settings = RedisSettings.model_validate({"timeout_ms": 5000, **limits})
    store = Store(settings, clock or SystemClock(), url)
    try:
        yield store
    finally:
        await store.close()


def key_on(cluster: ClusterServers, server: Server) -> str:
    return next(k for k in map(str, range(1000)) if cluster.of(slot_of_key(k)) is server)


async def eventually(clock: FakeClock, attempt: Callable[[], Awaitable[object]]) -> None:
    """Until it works, each time a little later."""
    async with asyncio.timeout(30):
        while True:
            with suppress(StoreUnavailable):
                await attempt()
                return
            clock.advance(LATER_S)
            await asyncio.sleep(0.01)


async def test_while_a_server_is_dead_the_others_serve_their_keys(
    own_cluster: ClusterServers, caplog: pytest.LogCaptureFixture
) -> None:
    one, other, dead = own_cluster.servers
    lost, *kept = [key_on(own_cluster, server) for server in (dead, one, other)]
    async with opened(own_cluster.url, FakeClock()) as store:
        await store.pipeline([("SET", key, "v") for key in (lost, *kept)])
        dead.kill()
        for _ in range(3):
            assert not store.is_open
            with pytest.raises(StoreUnavailable):
                await store.get(lost)
            assert [await store.get(key) for key in kept] == [b"v", b"v"]
        assert store.is_open
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{dead.port} is away"):
            await store.get(lost)
        assert [await store.get(key) for key in kept] == [b"v", b"v"]

        calls = [added(f"{{{key}}}l") for key in (kept[0], lost, kept[1])]
        replies = await store.scripts(APPEND, calls)
        assert [type(reply) for reply in replies] == [list, StoreUnavailable, list]
        with pytest.raises(StoreUnavailable, match="is away"):
            await store.scripts(APPEND, calls[1:2])
        with pytest.raises(StoreUnavailable, match="is away"):
            await store.pipeline([("GET", key) for key in (*kept, lost)])
        with pytest.raises(StoreUnavailable):
            await store.ping()
        assert await store.pipeline([("ECHO", "any")]) == [b"any"]
    assert [r.levelno for r in caplog.records].count(logging.ERROR) == 1


async def test_a_server_that_hangs_does_not_hold_the_others_up(
    own_cluster: ClusterServers,
) -> None:
    one, _, hung = own_cluster.servers
    lost, kept = key_on(own_cluster, hung), key_on(own_cluster, one)
    clock = FakeClock()
    async with opened(own_cluster.url, clock, timeout_ms=300, pool=4) as store:
        await eventually(clock, lambda: store.pipeline([("SET", k, "v") for k in (lost, kept)]))
        with hung.hanging():
            for _ in range(3):
                with pytest.raises(StoreUnavailable, match="no answer"):
                    await store.pipeline([("GET", lost), ("GET", kept)])
            assert store.is_open
            for _ in range(5):
                with pytest.raises(StoreUnavailable, match="is away"):
                    await store.get(lost)
                assert await store.get(kept) == b"v"


async def test_a_server_that_comes_back_is_found(own_cluster: ClusterServers) -> None:
    clock = FakeClock()
    dead = own_cluster.servers[1]
    lost = key_on(own_cluster, dead)
    async with opened(own_cluster.url, clock) as store:
        await store.set(lost, b"v")
        dead.kill()
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.get(lost)
        dead.start()
        await eventually(clock, lambda: store.set(lost, b"new"))
        assert await store.get(lost) == b"new"
        assert not store.is_open


async def test_a_replica_that_takes_over_is_found(own_cluster: ClusterServers) -> None:
    """Nobody says MOVED: the one who would is dead."""
    clock = FakeClock()
    dead = own_cluster.servers[0]
    key = key_on(own_cluster, dead)
    replica = own_cluster.add()
    replica.meet(dead)
    own_cluster.await_whole()
    replica.ask("CLUSTER", "REPLICATE", dead.id)
    async with opened(own_cluster.url, clock) as store:
        await store.script(APPEND, *added(f"{{{key}}}list"))
        await until(lambda: replica.ask("INFO", "replication")["master_link_status"] == "up")
        assert dead.ask("WAIT", 1, 5000) == 1
        dead.kill()
        with pytest.raises(StoreUnavailable):
            await store.get(key)
        replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
        await eventually(clock, lambda: store.set(key, b"v"))
        assert replica.ask("GET", key) == b"v"
        assert await store.script(APPEND, *added(f"{{{key}}}list")) == [1, 2]
        clock.advance(LATER_S)
        await store.get(key)
        assert not store.is_open


async def test_a_planned_change_of_primary_loses_no_command(own_cluster: ClusterServers) -> None:
    old = own_cluster.servers[0]
    key = key_on(own_cluster, old)
    new = own_cluster.add()
    new.meet(old)
    own_cluster.await_whole()
    new.ask("CLUSTER", "REPLICATE", old.id)
    await until(lambda: new.ask("INFO", "replication")["master_link_status"] == "up")
    over = asyncio.Event()
    count = 0

    async def traffic(store: Store) -> None:
        nonlocal count
        while not over.is_set():
            await store.pipeline([("INCR", key), ("GET", "elsewhere")])
            count += 1

    async with opened(own_cluster.url) as store:
        task = asyncio.ensure_future(traffic(store))
        await asyncio.to_thread(new.ask, "CLUSTER", "FAILOVER")
        await until(lambda: new.ask("ROLE")[0] == b"master" or task.done())
        before = count
        await until(lambda: count > before + 20 or task.done())
        over.set()
        await task
        assert new.ask("GET", key) == b"%d" % count


async def test_a_cluster_that_is_down_is_not_asked_twice(own_cluster: ClusterServers) -> None:
    for server in own_cluster.servers:
        server.ask("CONFIG", "SET", "cluster-require-full-coverage", "yes")
        server.ask("CLUSTER", "DELSLOTSRANGE", 0, 0)
    asked = own_cluster.of(slot_of_key("k"))
    await asyncio.to_thread(own_cluster.await_state, "fail")
    async with opened(own_cluster.url) as store:
        before = asked.refusals("CLUSTERDOWN")
        with pytest.raises(StoreUnavailable, match="cluster is down"):
            await store.get("k")
        assert asked.refusals("CLUSTERDOWN") == before + 1


async def test_a_slot_of_nobody_is_no_mystery(own_cluster: ClusterServers) -> None:
    for server in own_cluster.servers:
        server.ask("CLUSTER", "DELSLOTSRANGE", 0, SLOTS - 2)
    async with opened(own_cluster.url) as store:
        with pytest.raises(StoreUnavailable, match=f"has slot {slot_of_key('k')}"):
            await store.get("k")


async def test_a_server_that_left_keeps_no_connection(own_cluster: ClusterServers) -> None:
    clock = FakeClock()
    leaver = own_cluster.servers[2]
    keys = [str(i) for i in range(60)]
    async with opened(own_cluster.url.rpartition(",")[0], clock) as store:
        await store.pipeline([("SET", key, "v") for key in keys])
        assert _clients(leaver) > 1
        own_cluster.take_all(leaver, own_cluster.servers[0])
        for _ in range(3):
            await store.pipeline([("GET", key) for key in keys])
            await store.ping()
            clock.advance(LATER_S)
        await until(lambda: _clients(leaver) == 1)


async def test_a_command_is_not_sent_again_when_its_connection_is_lost(
    own_cluster: ClusterServers,
) -> None:
    server = own_cluster.servers[0]
    key = key_on(own_cluster, server)
    async with opened(own_cluster.url, FakeClock()) as store:
        await store.set(key, b"0")
        server.ask("CLIENT", "KILL", "TYPE", "normal")
        with pytest.raises(StoreUnavailable):
            await store.pipeline([("INCR", key), ("INCR", key)])
        assert await store.pipeline([("INCR", key)]) == [1]


async def test_no_server_at_all() -> None:
    async with opened("redis+cluster://127.0.0.1:1,127.0.0.1:2", FakeClock()) as store:
        for _ in range(9):
            with pytest.raises(StoreUnavailable):
                await store.get("k")
        with pytest.raises(StoreUnavailable, match="away"):
            await store.get("k")


async def test_a_server_that_belongs_to_no_cluster_says_so(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / ("d" * 120))  # too long for a socket: a port, a password
    server.start()
    try:
        async with opened(server.url.replace("redis://", "redis+cluster://")) as store:
            with pytest.raises(StoreUnavailable, match="cluster support disabled"):
                await store.get("k")
    finally:
        server.stop()


def _clients(server: Server) -> int:
    """Connections to it, this question's own included."""
    return len(server.ask("CLIENT", "LIST", "TYPE", "normal").splitlines())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)

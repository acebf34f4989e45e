"""A cluster whose slots move while it is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import DataError
from store.turn_script import APPEND, COUNT, added, counted, counting
from store.valkey_cluster import ClusterServers, Server

from serve_app.cache.sweep import sweep
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.core.kept import Purge
from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable
from serve_app.store.slots import slot_of_key

SLOT = slot_of_key("{a}")


@asynccontextmanager
async def opened(url: str, **limits: int) -> AsyncIterator[Store]:
    store = Store(RedisSettings.model_validate({"timeout_ms": 5000, **limits}), SystemClock(), url)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def target(cluster: ClusterServers) -> Server:
    """A server that `SLOT` may move to."""
    owner = cluster.of(SLOT)
    return next(server for server in cluster.servers if server is not owner)


@pytest.fixture
async def on_its_way(cluster: ClusterServers, target: Server) -> AsyncIterator[Server]:
    """Where `SLOT` is just going to; it arrives when the test is over."""
    cluster.begin_move(SLOT, target)
    try:
        yield target
    finally:
        cluster.move_keys(SLOT, target)
        cluster.end_move(SLOT, target)


async def test_keys_are_where_the_cluster_wants_them(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    await cluster_store.pipeline([("SET", f"k{i}", i) for i in range(300)])
    sizes = [server.ask("DBSIZE") for server in cluster.servers]
    assert sum(sizes) == 300
    assert min(sizes) > 50


async def test_a_slot_that_moved_is_followed(
    cluster: ClusterServers, cluster_store: Store, target: Server
) -> None:
    await cluster_store.set("{a}1", b"v")
    cluster.move(SLOT, target)
    assert await cluster_store.get("{a}1") == b"v"
    assert await cluster_store.script(APPEND, *added("{a}2")) == [1, 1]
    cluster.move(SLOT, next(s for s in cluster.servers if s is not target))
    commands = [("GET", "{a}1"), ("SET", "b", "w"), ("LLEN", "{a}2"), ("GET", "b")]
    assert await cluster_store.pipeline(commands) == [b"v", True, 1, b"w"]


async def test_who_was_told_where_a_slot_is_remembers_it(cluster: ClusterServers) -> None:
    """Also when it is too early to ask for the whole map again: the clock stands."""
    settings = RedisSettings(timeout_ms=5000)
    store = Store(settings, FakeClock(), cluster.url)
    try:
        await store.set("{a}1", b"v")
        for _ in range(3):
            source = cluster.of(SLOT)
            cluster.move(SLOT, next(s for s in cluster.servers if s is not source))
            before = source.refusals("MOVED")
            assert [await store.get("{a}1") for _ in range(5)] == [b"v"] * 5
            assert source.refusals("MOVED") == before + 1
    finally:
        await store.close()


async def test_a_transaction_follows_its_slot(
    cluster: ClusterServers, cluster_store: Store, target: Server
) -> None:
    commands = [("SET", "{a}1", "v"), ("INCR", "{a}2"), ("GET", "{a}1")]
    assert await cluster_store.pipeline(commands, transaction=True) == [True, 1, b"v"]
    cluster.move(SLOT, target)
    assert await cluster_store.pipeline(commands, transaction=True) == [True, 2, b"v"]


async def test_a_transaction_over_several_slots_is_a_mistake(cluster_store: Store) -> None:
    with pytest.raises(ValueError, match="2 slots"):
        await cluster_store.pipeline([("SET", "a", 1), ("SET", "b", 1)], transaction=True)
    assert await cluster_store.get("a") is None


async def test_keys_are_found_on_both_sides_of_a_move(
    cluster: ClusterServers, cluster_store: Store, on_its_way: Server
) -> None:
    source = cluster.of(SLOT)
    assert await cluster_store.get("{a}new") is None
    await cluster_store.set("{a}new", b"1")  # is not at the source: ASK
    assert on_its_way.ask("CLUSTER", "COUNTKEYSINSLOT", SLOT) == 1
    assert source.ask("CLUSTER", "COUNTKEYSINSLOT", SLOT) == 0
    commands = [("INCR", "{a}new"), ("SET", "b", "x"), ("GET", "{a}new"), ("GET", "{a}none")]
    assert await cluster_store.pipeline(commands) == [2, True, b"2", None]
    assert await cluster_store.pipeline(commands[:1], transaction=True) == [3]
    await cluster_store.pipeline([counting("{a}count")])
    assert await cluster_store.script(COUNT, *counted("{a}count", 1)) == [1, 0]
    assert await cluster_store.script(COUNT, *counted("{a}count", 2)) == [2, 0]


async def test_keys_that_are_apart_are_waited_for(
    cluster: ClusterServers, cluster_store: Store, target: Server
) -> None:
    await cluster_store.set("{a}1", b"1")
    cluster.begin_move(SLOT, target)
    await cluster_store.set("{a}2", b"2")  # at the target, `{a}1` still is at the source

    source = cluster.of(SLOT)
    before = source.refusals("TRYAGAIN")

    async def arrive() -> None:
        while source.refusals("TRYAGAIN") == before:
            await asyncio.sleep(0.001)
        cluster.move_keys(SLOT, target)
        cluster.end_move(SLOT, target)

    values, _ = await asyncio.gather(cluster_store.get_many(["{a}1", "{a}2"]), arrive())
    assert values == [b"1", b"2"]


async def test_keys_that_stay_apart_are_not_waited_for_long(
    cluster: ClusterServers, on_its_way: Server
) -> None:
    async with opened(cluster.url, timeout_ms=100) as store:
        with pytest.raises(StoreUnavailable, match="Multiple keys"):
            await store.get_many(["{a}new", "{a}other"])
        assert not store.is_open


async def test_traffic_does_not_notice_that_slots_move(cluster: ClusterServers) -> None:
    """Every write is counted once, and no command fails."""
    tags = [f"{{t{i}}}" for i in range(8)]
    written = dict.fromkeys(tags, 0)
    done = 0
    moved = asyncio.Event()

    async def traffic(store: Store, tag: str) -> None:
        nonlocal done
        while not moved.is_set():
            calls = [counted(f"{name}count", written[tag]) for name in (tag, "{x}")]
            await store.pipeline([("INCR", f"{tag}n"), ("GET", f"{tag}n"), ("INCR", "{x}n")])
            assert [len(reply) for reply in await store.scripts(COUNT, calls)] == [2, 2]
            written[tag], done = written[tag] + 1, done + 1

    async def move() -> None:
        for turn, tag in enumerate(["{x}", *tags]):
            slot = slot_of_key(tag)
            target = cluster.servers[turn % 3]
            if cluster.of(slot) is target:
                target = cluster.servers[turn % 3 - 1]
            for step in (cluster.begin_move, cluster.move_keys, cluster.end_move):
                await asyncio.to_thread(step, slot, target)
                before = done
                while done < before + 10:
                    await asyncio.sleep(0.001)
        moved.set()

    async with opened(cluster.url) as store:
        await store.pipeline([counting(f"{tag}count") for tag in (*tags, "{x}")])
        await asyncio.gather(*(traffic(store, tag) for tag in tags), move())
        for tag, count in written.items():
            replies = await store.pipeline([("GET", f"{tag}n"), ("HGET", f"{tag}count", "done")])
            assert replies == [b"%d" % count] * 2
        assert await store.get("{x}n") == b"%d" % sum(written.values())
    assert min(sum(s.refusals(kind) for s in cluster.servers) for kind in ("ASK", "MOVED")) > 0


async def test_scripts_are_known_to_each_server_by_itself(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    names = [f"k{i}" for i in range(30)]
    calls = [added(name) for name in names]
    assert await cluster_store.scripts(APPEND, calls) == [[1, 1]] * 30
    cluster.servers[1].ask("SCRIPT", "FLUSH")
    assert await cluster_store.scripts(APPEND, calls) == [[1, 2]] * 30


async def test_a_refused_call_leaves_the_others(cluster_store: Store) -> None:
    await cluster_store.set("a", b"no list")
    calls = [added(name) for name in ("a", "b", "c", "d")]
    refused, *others = await cluster_store.scripts(APPEND, calls)
    assert isinstance(refused, StoreUnavailable)
    assert others == [[1, 1]] * 3


async def test_a_script_with_keys_of_several_slots_is_refused(cluster_store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="slot"):
        await cluster_store.script("seek", ["a", "b"], ["me", 1000])


async def test_a_value_of_a_wrong_type_is_the_callers_mistake(cluster_store: Store) -> None:
    wrong = [("SET", f"k{i}", None) for i in range(9)]
    with pytest.raises(DataError):
        await cluster_store.pipeline(wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError):
        await cluster_store.pipeline(wrong[:1])  # type: ignore[arg-type]
    assert await cluster_store.get("k1") is None


async def test_a_purge_of_everything_reaches_every_server(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    for i in range(60):
        await cluster_store.set(keys.cache_entry(f"t{i}", "f"), b"x")
    await cluster_store.set(keys.conversation("t1", "s"), b"stays")
    assert await sweep(cluster_store, Purge(tenant="t7")) == 1
    assert await sweep(cluster_store, Purge()) == 59
    assert sum(server.ask("DBSIZE") for server in cluster.servers) == 1


async def test_a_walk_sees_slots_that_moved_since_the_last_command(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    await cluster_store.set("{a}1", b"v")
    new = cluster.add()
    new.meet(cluster.servers[0])
    cluster.await_whole()
    try:
        cluster.move(SLOT, new)
        assert [names async for names in cluster_store.scan("{a}*", 100)] == [[b"{a}1"]]
    finally:
        cluster.remove(new)


async def test_every_server_is_pinged(cluster: ClusterServers, cluster_store: Store) -> None:
    def pings() -> list[int]:
        stats = [server.ask("INFO", "commandstats") for server in cluster.servers]
        return [int(text.get("cmdstat_ping", {}).get("calls", 0)) for text in stats]

    before = pings()
    assert await cluster_store.ping() > 0
    assert all(now > then for now, then in zip(pings(), before, strict=True))


async def test_one_server_that_is_named_leads_to_all(cluster: ClusterServers) -> None:
    async with opened(f"redis+cluster://127.0.0.1:{cluster.servers[2].port}/0") as store:
        await store.pipeline([("SET", f"k{i}", i) for i in range(30)])
        assert await store.delete(*(f"k{i}" for i in range(30))) == 30


async def test_servers_that_do_not_answer_are_passed_over(cluster: ClusterServers) -> None:
    url = f"redis+cluster://127.0.0.1:1,127.0.0.1:2,127.0.0.1:{cluster.servers[0].port}"
    async with opened(url) as store:
        await store.set("k", b"v")
        assert await store.get("k") == b"v"
        assert not store.is_open

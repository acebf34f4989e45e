"""Purges: from one replica to all others, whatever they hold, do or missed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from cache_world import entry, filled, level, replica, stage, until
from msgspec.structs import replace
from redis import Redis

from serve_app.cache.barred import MOST, TOLERANCE_S, Barred
from serve_app.cache.packing import pack
from serve_app.cache.purges import Dated, Purges
from serve_app.cache.stage import CacheStage
from serve_app.cache.sweep import sweep
from serve_app.config.structure import CacheStructure
from serve_app.core.errors import Overloaded
from serve_app.core.kept import Entry, Fill, Lookup, Purge, Purged
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

Two = tuple[CacheStage, CacheStage]


@pytest.fixture
async def two(clean_valkey: EmbeddedValkey) -> AsyncIterator[Two]:
    """Two replicas that both have `f` of tenant `t` and `g` of tenant `u` near."""
    async with replica(clean_valkey.url) as one, replica(clean_valkey.url) as other:
        await one.fill([filled("f", tags=("faq",)), filled("g", "u", model="maxi")])
        await other.lookup([Lookup("f", "t"), Lookup("g", "u")])
        assert [await level(other, "f"), await level(other, "g", "u")] == ["l1", "l1"]
        yield one, other


# ------------------------------------------------------- reaching everybody


@pytest.mark.parametrize(
    "purge",
    [
        Purge(),
        Purge(tenant="t"),
        Purge(tag="faq"),
        Purge(model="mini"),
        Purge(fingerprint="f"),
        Purge(tenant="t", fingerprint="f", tag="faq", model="alpha/mini"),
    ],
)
async def test_a_purge_reaches_the_other_replicas_memory(two: Two, purge: Purge) -> None:
    one, other = two

    async def is_gone() -> bool:
        return await level(other, "f") == "miss"

    gone = 2 if purge == Purge() else 1
    assert await one.purge([purge]) == [Purged(gone)]
    assert await level(one, "f") == "miss"
    await until(is_gone)
    kept = await level(other, "g", "u")
    assert kept == ("miss" if purge == Purge() else "l1")


async def test_a_purge_of_others_leaves_what_is_there(two: Two) -> None:
    one, other = two
    purges = [Purge(tenant="u"), Purge(tag="news"), Purge(tenant="u", fingerprint="f")]
    assert await one.purge(purges) == [Purged(1), Purged(0), Purged(0)]

    async def has_heard() -> bool:
        return await level(other, "g", "u") == "miss"

    await until(has_heard)
    assert [await level(cache, "f") for cache in (one, other)] == ["l1", "l1"]


async def test_without_the_redis_level_replicas_still_hear_of_purges(
    clean_valkey: EmbeddedValkey, store: Store
) -> None:
    async with replica(clean_valkey.url) as one:
        near = stage(store, structure=CacheStructure(l2=False))
        near.start()
        try:
            await near.fill([filled("f")])
            await one.purge([Purge(tenant="t")])

            async def is_gone() -> bool:
                return await level(near, "f") == "miss"

            await until(is_gone)
        finally:
            await near.close()


async def test_without_redis_a_purge_is_of_this_process() -> None:
    cache = stage(None)
    await cache.fill([filled("f"), filled("g")])
    assert await cache.purge([Purge(fingerprint="f")]) == [Purged(1)]
    assert [await level(cache, name) for name in ("f", "g")] == ["miss", "l1"]


# ------------------------------------------------ what is under way meanwhile


async def test_an_answer_whose_question_came_before_the_purge_is_not_kept(two: Two) -> None:
    one, other = two
    late = filled("late", since=-5.0)
    await one.purge([Purge(tenant="t")])

    async def is_refused() -> bool:
        return await other.fill([late]) == [False]

    await until(is_refused)
    assert await one.fill([late]) == [False]
    assert [await level(cache, "late") for cache in two] == ["miss", "miss"]
    assert await one.fill([filled("new", since=TOLERANCE_S + 0.5)]) == [True]
    assert await level(other, "new") == "l2"


async def test_an_old_answer_that_came_to_redis_after_all_is_not_served(
    store: Store, two: Two
) -> None:
    """As a replica would store it that lost its Redis before the purge and found it after."""
    one, _ = two
    await one.purge([Purge(tenant="t")])
    late = replace(entry(), asked_at=time.time() - 5)
    name = keys.cache_entry("t", "late")
    await store.set(name, pack(late), 100)
    [found] = await one.lookup([Lookup("late", "t", holder="a")])
    assert (found.level, found.leads) == ("miss", True)
    assert await store.get(name) is None


async def test_a_new_replica_knows_what_was_purged_before_it_came(store: Store, two: Two) -> None:
    await two[0].purge([Purge(tag="faq")])
    fresh = stage(store)  # not even started
    assert await fresh.fill([filled("x", tags=("faq",), since=-5.0), filled("y")]) == [False, True]


# ----------------------------------------------------------- Redis away


async def test_replicas_catch_up_when_redis_is_back(own_valkey: EmbeddedValkey) -> None:
    async with replica(own_valkey.url) as one, replica(own_valkey.url) as other:
        await one.fill([filled("f"), filled("g", "u")])
        await other.lookup([Lookup("f", "t"), Lookup("g", "u")])
        await asyncio.to_thread(own_valkey.stop)
        with pytest.raises(Overloaded, match="purge again"):
            await one.purge([Purge(tenant="t")])
        assert [await level(one, "f"), await level(other, "f")] == ["miss", "l1"]
        await asyncio.to_thread(own_valkey.start)

        async def is_purged() -> bool:
            try:
                return await one.purge([Purge(tenant="t")]) != []
            except Overloaded:
                return False

        async def is_gone() -> bool:
            return await level(other, "f") == "miss"

        await until(is_purged)
        await until(is_gone)
        assert await level(other, "g", "u") == "l1"


def behind(url: str, purge: Purge, times: int = 1) -> None:
    """Purge as a replica elsewhere would, so many times."""
    with Redis.from_url(url) as client, client.pipeline() as pipe:
        for number in range(times):
            said = msgspec.msgpack.encode(purge) if times == 1 else b"%d" % number
            pipe.xadd(keys.cache_purges(), {"purge": said}, maxlen=MOST, approximate=False)
        pipe.execute()


class Ear:
    """Hears purges and keeps what it heard."""

    def __init__(self, store: Store) -> None:
        self.heard: list[tuple[Purge, bool]] = []
        self.times: list[float] = []
        self.losses = 0
        self.purges = Purges(store, self._hear, self._lose)

    async def _hear(self, purges: Sequence[Dated], are_new: bool) -> None:
        self.times += [at for _, at in purges]
        self.heard += [(purge, are_new) for purge, _ in purges]

    def _lose(self) -> None:
        self.losses += 1


async def test_each_purge_is_heard_once_and_in_order(store: Store) -> None:
    ear = Ear(store)
    await ear.purges.tell(Purge(tenant="a"))
    for tag in ("1", "2", "3"):
        await ear.purges.tell(Purge(tag=tag))
        await ear.purges.catch_up()
    tags = [(Purge(tag=tag), True) for tag in ("1", "2", "3")]
    assert ear.heard == [(Purge(tenant="a"), False), *tags]
    assert ear.losses == 0


async def test_what_was_cut_off_while_it_was_heard_is_heard_again(store: Store) -> None:
    times, heard = 0, asyncio.Event()

    async def hear_for_ever_once(purges: Sequence[Dated], are_new: bool) -> None:
        nonlocal times
        times += 1
        if times == 1:
            heard.set()
            await asyncio.Event().wait()

    purges = Purges(store, hear_for_ever_once, lambda: None)
    telling = asyncio.create_task(purges.tell(Purge(tag="x")))
    await heard.wait()
    telling.cancel()
    await asyncio.wait([telling])
    await purges.catch_up()
    await purges.catch_up()
    assert times == 2


async def test_a_purge_has_the_time_of_redis(store: Store) -> None:
    ear = Ear(store)
    await ear.purges.tell(Purge())
    assert ear.times == [pytest.approx(time.time(), abs=5)]


async def test_who_missed_more_than_the_stream_holds_is_told_so(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    ear = Ear(store)
    await ear.purges.tell(Purge(tenant="a"))
    behind(clean_valkey.url, Purge(), MOST)
    await ear.purges.catch_up()
    assert ear.losses == 1
    assert len(ear.heard) == MOST + 1
    await ear.purges.catch_up()
    assert (ear.losses, len(ear.heard)) == (1, MOST + 1)


async def test_a_redis_that_lost_its_memory_is_noticed(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    ear = Ear(store)
    await ear.purges.tell(Purge(tenant="a"))
    with Redis.from_url(clean_valkey.url) as client:
        client.flushall()
    await ear.purges.catch_up()
    await ear.purges.catch_up()
    assert ear.losses == 1
    behind(clean_valkey.url, Purge(tag="x"))
    await ear.purges.catch_up()
    assert (ear.heard[1:], ear.losses) == ([(Purge(tag="x"), True)], 1)


async def test_an_empty_stream_is_nothing_to_lose(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    ear = Ear(store)
    for _ in range(3):
        await ear.purges.catch_up()
    behind(clean_valkey.url, Purge(tag="x"))
    await ear.purges.catch_up()
    assert (ear.heard, ear.losses) == ([(Purge(tag="x"), True)], 0)


async def test_a_replica_that_lost_track_forgets_its_memory(clean_valkey: EmbeddedValkey) -> None:
    async with replica(clean_valkey.url) as one:
        await one.fill([filled("f")])
        await one.purge([Purge(tenant="somebody else")])
        with Redis.from_url(clean_valkey.url) as client:
            client.delete(keys.cache_entry("t", "f"))
            assert await level(one, "f") == "l1"
            client.xtrim(keys.cache_purges(), maxlen=0)

        async def is_gone() -> bool:
            return await level(one, "f") == "miss"

        await until(is_gone)


async def test_many_purges_at_once_are_not_walked_through_one_by_one(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    cache = stage(store)
    await cache.fill([filled("f")])
    for number in range(20):
        behind(clean_valkey.url, Purge(tag=str(number)))
    await cache.purge([Purge(tag="last")])
    assert await level(cache, "f") == "l2"


async def test_a_purge_that_cannot_be_read_is_of_everything(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    ear = Ear(store)
    await ear.purges.catch_up()
    with Redis.from_url(clean_valkey.url) as client:
        client.xadd(keys.cache_purges(), {"purge": b"\xff\xff"})
    await ear.purges.catch_up()
    assert ear.heard == [(Purge(), True)]


# ------------------------------------------------------------ what it bars


def of(asked_at: float, model: str = "m", tags: tuple[str, ...] = ()) -> Entry:
    return Entry(False, b"", "b", model, 1, 1, 0, asked_at + 5, 0.0, tags=tags, asked_at=asked_at)


def test_a_purge_bars_what_was_asked_before_it_and_a_little_later() -> None:
    barred = Barred()
    barred.add(Purge(tenant="t"), 100.0)
    asked = (50.0, 100.9, 101.0, 101.1)
    assert [barred.bars("t", "f", of(at)) for at in asked] == [True, True, True, False]
    assert not barred.bars("u", "f", of(50.0))


def test_every_purge_counts_and_of_equal_ones_the_latest() -> None:
    barred = Barred()
    barred.add(Purge(tag="a"), 100.0)
    barred.add(Purge(model="b/m"), 50.0)
    barred.add(Purge(tag="a"), 20.0)
    assert len(barred) == 2
    assert barred.bars("t", "f", of(90.0, tags=("z", "a")))
    assert barred.bars("t", "f", of(40.0))
    assert not barred.bars("t", "f", of(90.0, tags=("z",)))


def test_so_many_purges_are_remembered_and_no_more() -> None:
    barred = Barred()
    for number in range(MOST + 1):
        barred.add(Purge(fingerprint=str(number)), 100.0)
    assert len(barred) == MOST
    assert [barred.bars("t", str(n), of(1.0)) for n in (0, 1, MOST)] == [False, True, True]


# -------------------------------------------------------------- the sweep


async def test_the_sweep_takes_all_of_a_tenant_and_nothing_else(store: Store) -> None:
    cache = stage(store)
    await cache.fill([filled(f"f{number}", "a*[b]") for number in range(1200)])
    await cache.fill([filled("f1", "a"), filled("f1", "b")])
    others = [
        keys.conversation("a*[b]", "cache"),
        keys.flight_lease("a*[b]", "f1"),
        keys.cache_entry("a*[b]", "x") + ":more",
    ]
    for name in others:
        await store.set(name, b"x")
    assert await sweep(store, Purge(tenant="a*[b]")) == 1200
    left = [*others, keys.cache_entry("a", "f1"), keys.cache_entry("b", "f1")]
    assert await store.pipeline([("EXISTS", name) for name in left]) == [1] * 5
    assert await sweep(store, Purge(fingerprint="f1")) == 2


async def test_the_sweep_reads_heads_for_models_and_tags(store: Store) -> None:
    large = b"x" * 300_000
    tags = tuple(f"a tag with a long name, number {number}" for number in range(16))
    await stage(store).fill(
        [
            filled("a", payload=large, model="m1", tags=("faq",)),
            filled("b", payload=large, model="m2", tags=tags),
            filled("c", model="m1"),
        ]
    )
    assert await sweep(store, Purge(model="m1", tag="faq")) == 1
    assert await sweep(store, Purge(tag=tags[-1])) == 1
    assert await sweep(store, Purge(tenant="t", fingerprint="c", model="m2")) == 0
    assert await sweep(store, Purge(tenant="t", fingerprint="c", model="m1")) == 1


async def test_what_does_not_say_what_it_is_goes_too(store: Store) -> None:
    await store.set(keys.cache_entry("t", "old"), b"\x01of an older version", 100)
    await stage(store).fill([Fill("new", entry(), "t")])
    assert await sweep(store, Purge(tag="faq")) == 1

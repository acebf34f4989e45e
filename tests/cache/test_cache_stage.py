"""The cache's contract, over this process alone and over Redis, and what only levels have."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serve_app.cache.stage import CacheStage
from serve_app.config.policy import CachePolicy
from serve_app.config.structure import CacheStructure, RedisSettings
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.core.kept import Entry, Fill, Lookup
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

ON = CachePolicy()
SMALL = CacheStructure(max_entry_bytes=2000)


def entry(payload: bytes = b"answer", expires_at: float = 0.0) -> Entry:
    return Entry(False, payload, "alpha", "mini", 1, 2, 3, 0.0, expires_at)


def stage(
    store: Store | None,
    clock: FakeClock | None = None,
    structure: CacheStructure = SMALL,
) -> CacheStage:
    return CacheStage(ON, structure, store, clock or FakeClock(), random.Random(1))


@pytest.fixture(params=["memory", "redis"])
async def level(
    request: pytest.FixtureRequest, clean_valkey: EmbeddedValkey
) -> AsyncIterator[Store | None]:
    if request.param == "memory":
        yield None
        return
    store = Store(RedisSettings(timeout_ms=5000), SystemClock(), clean_valkey.url)
    yield store
    await store.close()


# ----------------------------------------------------------- contract


async def test_what_was_filled_is_found(level: Store | None) -> None:
    cache = stage(level)
    assert await cache.fill([Fill("f", entry())]) == [True]
    (found,) = await cache.lookup([Lookup("f")])
    assert found.level == "l1"
    assert found.entry == entry()


async def test_what_was_not_filled_is_a_miss(level: Store | None) -> None:
    (found,) = await stage(level).lookup([Lookup("f")])
    assert (found.level, found.entry) == ("miss", None)


async def test_answers_come_in_the_order_of_the_batch(level: Store | None) -> None:
    cache = stage(level)
    await cache.fill([Fill("a", entry(b"1")), Fill("c", entry(b"3"), "other")])
    found = await cache.lookup([Lookup("c", "other"), Lookup("b"), Lookup("a"), Lookup("c")])
    payloads = [item.entry.payload if item.entry else None for item in found[:3]]
    assert payloads == [b"3", None, b"1"]


async def test_an_empty_batch_has_no_answers(level: Store | None) -> None:
    cache = stage(level)
    assert await cache.lookup([]) == []
    assert await cache.fill([]) == []


async def test_an_entry_is_not_served_after_it_expired(level: Store | None) -> None:
    clock = FakeClock()
    cache = stage(level, clock)
    await cache.fill([Fill("f", entry(expires_at=clock.wall() + 100))])
    clock.advance(99.9)
    assert (await cache.lookup([Lookup("f")]))[0].entry is not None
    clock.advance(0.1)
    assert (await cache.lookup([Lookup("f")]))[0].level == "miss"


async def test_what_is_too_large_or_expired_is_not_kept(level: Store | None) -> None:
    clock = FakeClock()
    cache = stage(level, clock)
    fills = [
        Fill("large", entry(b"x" * 2001)),
        Fill("expired", entry(expires_at=clock.wall())),
        Fill("good", entry(b"x" * 2000)),
    ]
    assert await cache.fill(fills) == [False, False, True]
    found = await cache.lookup([Lookup("large"), Lookup("expired"), Lookup("good")])
    assert [item.level for item in found] == ["miss", "miss", "l1"]


async def test_switched_off_it_keeps_and_finds_nothing(level: Store | None) -> None:
    cache = stage(level)
    await cache.fill([Fill("f", entry())])
    cache.reconfigure(CachePolicy(enabled=False))
    assert (await cache.lookup([Lookup("f")]))[0].level == "miss"
    assert await cache.fill([Fill("g", entry())]) == [False]
    cache.reconfigure(ON)
    assert (await cache.lookup([Lookup("g")]))[0].level == "miss"


async def test_an_answer_is_of_its_tenant_alone(level: Store | None) -> None:
    cache = stage(level)
    await cache.fill([Fill("f", entry(b"a's"), "a"), Fill("f", entry(b"b's"), "b")])
    found = await cache.lookup([Lookup("f", "a"), Lookup("f", "b"), Lookup("f", "c")])
    assert [item.entry and item.entry.payload for item in found] == [b"a's", b"b's", None]


async def test_an_older_answer_than_wanted_is_a_miss(level: Store | None) -> None:
    clock = FakeClock()
    cache = stage(level, clock)
    old = entry()
    old.stored_at = clock.wall() - 60
    await cache.fill([Fill("f", old)])
    for replica in (cache, stage(level, clock)) if level else (cache,):
        ages = (59, 60, None, 0)
        found = await replica.lookup([Lookup("f", max_age_s=age) for age in ages])
        assert [item.entry is not None for item in found] == [False, True, True, False]


async def test_a_stale_answer_is_found_until_its_end(level: Store | None) -> None:
    clock = FakeClock()
    cache = stage(level, clock)
    stale = entry(expires_at=clock.wall() + 100)
    stale.fresh_until = clock.wall() + 10
    await cache.fill([Fill("f", stale)])
    clock.advance(50)
    assert (await cache.lookup([Lookup("f")]))[0].entry == stale
    clock.advance(50)
    assert (await cache.lookup([Lookup("f")]))[0].entry is None


async def test_it_says_how_much_it_holds(level: Store | None) -> None:
    cache = stage(level)
    await cache.fill([Fill("f", entry())])
    [state] = await cache.state([True])
    assert state.l1_entries == 1
    assert 500 < state.l1_bytes < 1000
    assert (state.verified, state.wrong_low, state.wrong_high) == (0, 0.0, 1.0)


async def test_the_newer_of_two_answers_is_found(level: Store | None) -> None:
    cache = stage(level)
    await cache.fill([Fill("f", entry(b"old"))])
    await cache.fill([Fill("f", entry(b"new"))])
    found = (await cache.lookup([Lookup("f")]))[0].entry
    assert found is not None
    assert found.payload == b"new"


# ------------------------------------------------------------- levels


async def test_another_replica_finds_it_in_redis_and_then_in_itself(store: Store) -> None:
    await stage(store).fill([Fill("f", entry())])
    other = stage(store)
    assert [(await other.lookup([Lookup("f")]))[0].level for _ in range(2)] == ["l2", "l1"]


async def test_a_batch_is_answered_from_both_levels_and_several_tenants(store: Store) -> None:
    await stage(store).fill([Fill("a", entry(b"1")), Fill("b", entry(b"2"), "other")])
    cache = stage(store)
    await cache.fill([Fill("c", entry(b"3"))])
    batch = [Lookup("a"), Lookup("b", "other"), Lookup("b"), Lookup("c")]
    found = await cache.lookup(batch)
    assert [item.level for item in found] == ["l2", "l2", "miss", "l1"]
    assert [item.entry.payload for item in found if item.entry] == [b"1", b"2", b"3"]


async def test_without_the_redis_level_nothing_goes_to_redis(store: Store) -> None:
    await stage(store, structure=CacheStructure(l2=False)).fill([Fill("f", entry())])
    assert await store.get(keys.cache_entry("default", "f")) is None


async def test_redis_forgets_within_the_last_tenth_of_an_entrys_life(store: Store) -> None:
    clock = FakeClock()
    fills = [Fill(f"f{i}", entry(expires_at=clock.wall() + 1000)) for i in range(20)]
    await stage(store, clock).fill(fills)
    names = [keys.cache_entry("default", fill.fingerprint) for fill in fills]
    left_ms = await store.pipeline([("PTTL", name) for name in names])
    assert all(890_000 < left <= 1_000_000 for left in left_ms)
    assert len(set(left_ms)) > 10


async def test_an_entry_without_expiry_stays_in_redis(store: Store) -> None:
    await stage(store).fill([Fill("f", entry())])
    assert await store.pipeline([("PTTL", keys.cache_entry("default", "f"))]) == [-1]


async def test_a_value_that_cannot_be_read_is_missed_and_deleted(store: Store) -> None:
    await stage(store).fill([Fill("good", entry())])
    bad = keys.cache_entry("default", "bad")
    await store.set(bad, b"\x02damaged", 100)
    found = await stage(store).lookup([Lookup("bad"), Lookup("good")])
    assert [item.level for item in found] == ["miss", "l2"]
    assert await store.get(bad) is None


async def test_a_large_answer_goes_through_redis_unchanged(store: Store) -> None:
    structure = CacheStructure(l1_bytes=1, max_entry_bytes=1 << 20)
    large = entry(random.Random(2).randbytes(500_000) + b"x" * 500_000)
    assert await stage(store, structure=structure).fill([Fill("f", large)]) == [True]
    (found,) = await stage(store, structure=structure).lookup([Lookup("f")])
    assert found.entry == large


async def test_a_redis_that_is_away_is_a_miss_and_this_process_still_serves(
    tmp_path: Path,
) -> None:
    away = Store(RedisSettings(timeout_ms=200), SystemClock(), f"unix://{tmp_path}/nobody.sock")
    try:
        cache = stage(away)
        assert (await cache.lookup([Lookup("f")]))[0].level == "miss"
        assert await cache.fill([Fill("f", entry())]) == [True]
        assert (await cache.lookup([Lookup("f"), Lookup("g")]))[0].level == "l1"
        tiny = stage(away, structure=CacheStructure(l1_bytes=1))
        assert await tiny.fill([Fill("f", entry())]) == [False]
    finally:
        await away.close()

"""Who makes an answer that nobody has: one holder over all replicas, found out while looking."""

from __future__ import annotations

import pytest
from cache_world import entry, stage
from msgspec.structs import replace

from serve_app.cache.packing import pack
from serve_app.config.structure import CacheStructure
from serve_app.core.kept import Entry, Fill, Lookup
from serve_app.store import keys
from serve_app.store.client import Store


def asking(holder: str, fingerprint: str = "f", tenant: str = "default") -> Lookup:
    return Lookup(fingerprint, tenant, holder=holder)


async def holder_of(store: Store, fingerprint: str = "f") -> bytes | None:
    return await store.get(keys.flight_lease("default", fingerprint))


async def test_the_first_who_misses_leads_and_the_others_do_not(store: Store) -> None:
    first, second = stage(store), stage(store)
    [one], [other] = await first.lookup([asking("a")]), await second.lookup([asking("b")])
    assert [(one.level, one.leads), (other.level, other.leads)] == [("miss", True), ("miss", False)]
    assert await holder_of(store) == b"a"
    [left] = await store.pipeline([("PTTL", keys.flight_lease("default", "f"))])
    assert 0 < left <= 3000


async def test_who_asks_twice_still_leads(store: Store) -> None:
    cache = stage(store)
    found = [(await cache.lookup([asking("a")]))[0] for _ in range(2)]
    assert [item.leads for item in found] == [True, True]


async def test_of_equal_lookups_in_one_batch_one_leads(store: Store) -> None:
    found = await stage(store).lookup([asking("a"), asking("b"), asking("a"), Lookup("f")])
    assert [item.leads for item in found] == [True, False, True, True]


async def test_a_lookup_without_holder_takes_no_lease(store: Store) -> None:
    await stage(store).lookup([Lookup("f")])
    assert await holder_of(store) is None


async def test_a_hit_takes_no_lease(store: Store) -> None:
    await stage(store).fill([Fill("f", entry())])
    [found] = await stage(store).lookup([asking("a")])
    assert found.level == "l2"
    assert await holder_of(store) is None


async def test_a_fill_ends_its_own_flight_and_no_other(store: Store) -> None:
    cache = stage(store)
    await cache.lookup([asking("a")])
    await cache.fill([Fill("f", entry(), holder="b")])
    assert await holder_of(store) == b"a"
    await cache.fill([Fill("f", entry(), holder="a")])
    assert await holder_of(store) is None


async def test_a_fill_that_is_not_kept_ends_its_flight(store: Store) -> None:
    cache = stage(store, structure=CacheStructure(max_entry_bytes=3))
    await cache.lookup([asking("a")])
    assert await cache.fill([Fill("f", entry(b"long"), holder="a")]) == [False]
    assert await holder_of(store) is None


async def stored(store: Store, value: Entry | bytes) -> None:
    packed = value if isinstance(value, bytes) else pack(value)
    await store.set(keys.cache_entry("default", "f"), packed, 100)


@pytest.mark.parametrize("useless", ["expired", "too old", "corrupt"])
async def test_what_may_not_be_served_does_not_stand_in_the_way(store: Store, useless: str) -> None:
    value: Entry | bytes = replace(entry(), stored_at=100.0)
    if useless == "expired":
        value = replace(entry(), expires_at=100.0)
    if useless == "corrupt":
        value = b"\x02damaged"
    await stored(store, value)
    wanted = [replace(asking(holder), max_age_s=60) for holder in ("a", "b")]
    found = [(await stage(store).lookup([item]))[0] for item in wanted]
    assert [(item.entry, item.leads) for item in found] == [(None, True), (None, False)]
    kept = await store.get(keys.cache_entry("default", "f"))
    assert (kept is None) == (useless == "corrupt")


async def test_a_batch_of_all_kinds_is_answered_in_order(store: Store) -> None:
    other = stage(store)
    await other.fill([Fill("there", entry(b"1")), Fill("there", entry(b"2"), "b")])
    await other.lookup([asking("z", "taken")])
    found = await stage(store).lookup(
        [
            asking("a", "new"),
            Lookup("there"),
            asking("a", "taken"),
            asking("a", "there", "b"),
            Lookup("none", "b"),
        ]
    )
    assert [(item.level, item.leads) for item in found] == [
        ("miss", True),
        ("l2", True),
        ("miss", False),
        ("l2", True),
        ("miss", True),
    ]
    assert [item.entry.payload for item in found if item.entry] == [b"1", b"2"]

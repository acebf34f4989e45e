"""Trails as they are kept and found again, in a real Valkey."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.config.structure import RedisSettings
from serve_app.config.trails_policy import TrailsPolicy
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.core.plan import Candidate, Plan
from serve_app.core.trail import Note, Trail
from serve_app.observe.observer import RequestEnd
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable
from serve_app.trails.archive import BUCKET_S, Archive, Entry
from serve_app.trails.document import kept, packed, unpacked
from serve_app.trails.keeper import Keeper

PLAN = Plan([Candidate("p", "m", "cheapest", 8000)], need=0.25, tier="cheap")


def end(request_id: str = "req_1", tenant: str = "acme", **more: Any) -> RequestEnd:
    trail = Trail(request_id)
    trail.notes += more.pop("notes", [Note("router", "cheap", 2.0, {"plan": PLAN}, 0.5)])
    values: dict[str, Any] = {"status": 200, "duration_s": 0.1, "tenant": tenant, **more}
    return RequestEnd(trail, "/v1/chat/completions", **values)


def keeper(store: Store, **policy: Any) -> Keeper:
    return Keeper(TrailsPolicy(**policy), store, FakeClock())


async def test_a_trail_is_found_by_its_tenant_and_by_admins(store: Store) -> None:
    keeping = keeper(store)
    keeping.take([end(cost_micro_usd=7, first_content_s=0.05)], [])
    await keeping.flush()
    found = await keeping.find("acme", "req_1")
    assert found is not None
    assert found == await keeping.find(None, "req_1")
    assert (found["tenant"], found["cost_micro_usd"], found["first_content_ms"]) == ("acme", 7, 50)
    [note] = found["notes"]
    assert (note["stage"], note["began_ms"], note["took_ms"]) == ("router", 1.5, 0.5)
    assert note["facts"]["plan"]["candidates"][0]["reason"] == "cheapest"
    for tenant, request_id in (("zeta", "req_1"), ("acme", "req_2"), ("acm", "e|req_1"), ("", "")):
        assert await keeping.find(tenant, request_id) is None


async def test_two_tenants_may_use_one_request_id(store: Store) -> None:
    keeping = keeper(store)
    keeping.take([end(tenant="acme"), end(tenant="zeta"), end("acme|req_1", tenant="")], [])
    await keeping.flush()
    for tenant in ("acme", "zeta"):
        found = await keeping.find(tenant, "req_1")
        assert found is not None
        assert found["tenant"] == tenant


async def test_the_latest_trail_of_an_id_is_shown(store: Store) -> None:
    clock = FakeClock()
    archive = Archive(store, clock, lambda: 3600)
    for status in (500, 200):
        await archive.put([Entry("acme", "r", packed(kept(end(status=status)), 9999))])
        clock.advance(BUCKET_S)
    found = await archive.find("acme", "r")
    assert found is not None
    assert found["status"] == 200


async def test_trails_are_kept_for_their_time_and_not_for_ever(store: Store) -> None:
    clock = FakeClock()
    archive = Archive(store, clock, lambda: 3600)
    await archive.put([Entry("acme", "r", packed(kept(end()), 9999))])
    bucket = int(clock.wall()) // BUCKET_S
    [left_s] = await store.pipeline([("TTL", keys.trails(bucket))])
    assert 3600 < left_s <= 3600 + BUCKET_S
    clock.advance(3600)
    assert await archive.find("acme", "r") is not None
    clock.advance(2 * BUCKET_S)
    assert await archive.find("acme", "r") is None


async def test_a_second_has_room_for_so_many_and_the_telling_ones_come_first(store: Store) -> None:
    keeping = keeper(store, per_second=5, slow_s=2.0)
    good = [end(f"good_{n}") for n in range(20)]
    slow, failed = end("slow", duration_s=2.5), end("failed", error="all_backends_failed")
    keeping.take([*good, slow, failed], [])
    await keeping.flush()
    found = [one for one in [*good, slow, failed]
            if await keeping.find("acme", one.trail.request_id) is not None]  # fmt: skip
    assert found == [*good[:3], slow, failed]
    keeping.take([end("more")], [])
    await keeping.flush()
    assert await keeping.find("acme", "more") is None, "the second is not over"


async def test_of_requests_without_a_trail_none_is_kept_unless_they_failed(store: Store) -> None:
    keeping = keeper(store)
    keeping.take([end("health", notes=[]), end("401", notes=[], status=401, error="no_key")], [])
    await keeping.flush()
    assert await keeping.find("acme", "health") is None
    assert await keeping.find("acme", "401") is not None


async def test_switched_off_nothing_is_kept(store: Store) -> None:
    keeping = keeper(store, enabled=False)
    keeping.take([end()], [])
    await keeping.flush()
    assert await keeping.find("acme", "req_1") is None
    keeping.reconfigure(TrailsPolicy())
    keeping.take([end()], [])
    await keeping.flush()
    assert await keeping.find("acme", "req_1") is not None


async def test_while_redis_is_away_a_bounded_number_waits() -> None:
    settings = RedisSettings(timeout_ms=200)
    away = Store(settings, SystemClock(), "redis://127.0.0.1:9")
    keeping = keeper(away, per_second=2)
    for second in range(40):
        keeping._room = 2
        keeping.take([end(f"{second}a"), end(f"{second}b")], [])
        await keeping.flush()
    assert keeping.lost == 2 * 40 - 2 * 30
    with pytest.raises(StoreUnavailable):
        await keeping.find("acme", "1a")
    await away.close()


async def test_what_waited_is_kept_when_redis_is_back(store: Store) -> None:
    away = Store(RedisSettings(timeout_ms=200), SystemClock(), "redis://127.0.0.1:9")
    keeping = keeper(away)
    keeping.take([end()], [])
    await keeping.flush()
    keeping._archive._store = store
    await keeping.flush()
    assert await keeping.find("acme", "req_1") is not None
    await away.close()


def test_of_a_trail_that_is_too_large_the_last_notes_are_left_out() -> None:
    notes = [Note("input_filter", "redact", 1.0, {"rule": "r" * 100}) for _ in range(300)]
    found = unpacked(packed(kept(end(notes=notes)), 4096))
    assert 0 < len(found["notes"]) < 40
    assert len(found["notes"]) + found["notes_left_out"] == 300
    many = kept(end(notes=notes * 3))
    assert (len(many.notes), many.notes_left_out) == (400, 500)


def test_long_facts_are_cut_and_strange_ones_are_plain() -> None:
    facts = {"why": "x" * 10_000, "rules": {"b"}, "pair": (1, "a"), "none": None, "ratio": 1 / 3}
    [note] = unpacked(packed(kept(end(notes=[Note("s", "d", 1.0, facts)])), 99_999))["notes"]
    assert note["facts"] == {
        "why": "x" * 500 + "…", "rules": ["b"], "pair": [1, "a"], "none": None, "ratio": 0.333,
    }  # fmt: skip


@given(
    st.dictionaries(st.text(max_size=20), st.text(max_size=400) | st.integers(-9, 9), max_size=9)
)
def test_what_is_packed_is_unpacked(facts: dict[str, Any]) -> None:
    [note] = unpacked(packed(kept(end(notes=[Note("s", "d", 2.0, facts, 1.5)])), 99_999))["notes"]
    assert note == {"stage": "s", "decision": "d", "began_ms": 0.5, "took_ms": 1.5, "facts": facts}

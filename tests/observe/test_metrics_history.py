"""The last hour, as alert rules and the console read it."""

from __future__ import annotations

import pytest
from redis import Redis

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.observe.history import History
from serve_app.observe.snapshot import Snapshot
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.duty import Duty
from serve_app.store.embedded import EmbeddedValkey

NAME = "serve_app_cache_lookups_total"
LABELS = (("level", "l1"),)


def shot(at: float, value: float) -> Snapshot:
    return Snapshot(at, {NAME: {LABELS: value}, "serve_app_redis_up": {(): 1.0}})


def history(store: Store, clock: FakeClock | None = None) -> History:
    async def look() -> Snapshot:
        return shot(now.wall(), 1.0)

    now = clock or SystemClock()
    return History(store, Duty(store, "test", "r1"), look, now)


async def test_what_one_process_appends_all_can_read(store: Store) -> None:
    now = SystemClock().wall()
    writer, reader = history(store), history(store)
    for number in range(50):
        assert await writer.append(shot(now - 50 + number, float(number)))
    found = await reader.read(20.5)
    assert [snapshot.series[NAME][LABELS] for snapshot in found] == [
        float(n) for n in range(30, 50)
    ]
    await writer.append(shot(now + 1, 50.0))
    assert [snapshot.series[NAME][LABELS] for snapshot in await reader.read(60)] == [
        float(n) for n in range(51)
    ]
    assert await reader.read(60) == await writer.read(60)


async def test_snapshots_in_a_row_share_what_has_not_changed(store: Store) -> None:
    now = SystemClock().wall()
    writer = history(store)
    for number in range(3):
        await writer.append(shot(now - 3 + number, float(number)))
    first, *others = (snapshot.series["serve_app_redis_up"] for snapshot in await writer.read(60))
    assert all(other is first for other in others)


async def test_what_is_older_than_a_quarter_of_an_hour_is_coarser(store: Store) -> None:
    clock = FakeClock(SystemClock().wall())
    end = clock.wall()
    past = history(store, clock)
    for number in range(360):
        await past.append(shot(end - 1800 + 5 * number, float(number)))
    found = await past.read(3600)
    recent = [snapshot for snapshot in found if snapshot.at >= end - 900]
    assert len(recent) == 180
    assert len(found) - len(recent) in (30, 31)
    clock.advance(3000)
    left = await past.read(3600)
    assert left
    assert all(snapshot.at >= clock.wall() - 3600 for snapshot in left)


async def test_the_stream_is_bounded(store: Store, clean_valkey: EmbeddedValkey) -> None:
    now = SystemClock().wall()
    past = history(store)
    for number in range(760):
        await past.append(shot(now + number, 1.0))
    with Redis.from_url(clean_valkey.url) as redis:
        assert 720 <= redis.xlen(keys.metrics("history")) < 850
        assert 0 < redis.ttl(keys.metrics("history")) <= 7200


async def test_without_redis_snapshots_wait_and_are_not_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Store(RedisSettings(timeout_ms=50), SystemClock(), "redis://127.0.0.1:1")
    now = SystemClock().wall()
    past = history(nowhere)
    for number in range(3):
        assert not await past.append(shot(now - 3 + number, float(number)))
    seen = [snapshot.series[NAME][LABELS] for snapshot in await past.read(60)]
    assert seen == [0.0, 1.0, 2.0]
    await nowhere.close()
    monkeypatch.setattr(past, "_store", store)  # Redis is back
    assert await past.append(shot(now, 3.0))
    assert [s.series[NAME][LABELS] for s in await history(store).read(60)] == [0.0, 1.0, 2.0, 3.0]
    assert len(await past.read(60)) == 4


async def test_only_the_one_with_the_duty_appends(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.observe.history.EVERY_S", 0.01)
    idle, duty = history(store), Duty(store, "test", "r2")

    async def look() -> Snapshot:
        return shot(SystemClock().wall(), 7.0)

    busy = History(store, duty, look, SystemClock())
    assert await duty.beat()
    for one in (idle, busy):
        one.start()
    while len(found := await busy.read(60)) < 3:
        pass
    assert {snapshot.series[NAME][LABELS] for snapshot in found} == {7.0}
    for one in (idle, busy):
        await one.close()

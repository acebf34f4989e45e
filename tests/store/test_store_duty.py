"""One replica of all has a duty, over a real Valkey."""

from __future__ import annotations

import asyncio
import time

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store
from serve_app.store.duty import Duty
from serve_app.store.embedded import EmbeddedValkey


async def until_taken(duty: Duty) -> None:
    end = time.monotonic() + 10
    while not await duty.beat():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_one_of_three_has_it_and_keeps_it(store: Store) -> None:
    duties = [Duty(store, "watch", name) for name in ("a", "b", "c")]
    assert [await duty.beat() for duty in duties] == [True, False, False]
    assert [await duty.beat() for duty in reversed(duties)] == [False, False, True]


async def test_the_next_has_it_when_it_is_given_back(store: Store) -> None:
    one, two = Duty(store, "watch", "a"), Duty(store, "watch", "b")
    assert await one.beat()
    await two.close()
    assert await one.beat()
    await one.close()
    assert not one.is_mine
    assert await two.beat()


async def test_the_next_has_it_when_its_holder_died(store: Store) -> None:
    one, two = Duty(store, "watch", "a", lease_s=0.3), Duty(store, "watch", "b")
    assert await one.beat()
    await until_taken(two)
    assert one.is_mine  # it has not heard of it yet
    assert not await one.beat()


async def test_without_redis_its_holder_keeps_it_and_nobody_takes_it(
    clean_valkey: EmbeddedValkey,
) -> None:
    settings = RedisSettings(timeout_ms=5000)
    there = Store(settings, SystemClock(), clean_valkey.url)
    gone = Store(RedisSettings(timeout_ms=100), SystemClock(), "redis://127.0.0.1:1")
    one, two = Duty(there, "watch", "a"), Duty(gone, "watch", "b")
    assert await one.beat()
    one._store = gone
    assert await one.beat()
    assert not await two.beat()
    await there.close()
    await gone.close()

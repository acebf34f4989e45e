"""Replicas of the gateway as far as they watch backends: several in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.store.client import Store
from serve_app.vitals.book import Vitals
from serve_app.vitals.breaker import FAILURES, Breaker
from serve_app.vitals.sharing import Sharing
from serve_app.vitals.vital import Vital

BACKEND, MODEL = "hosted", "org/model"


class Replica:
    """One process's book and its line to the others, on a clock of its own.

    Its background task runs only after `sharing.start()`; until then a test lets it exchange.
    """

    def __init__(self, name: str, url: str, clock: FakeClock | SystemClock) -> None:
        self.clock = clock
        self.store = Store(RedisSettings(timeout_ms=5000, breaker_open_s=0.01), SystemClock(), url)
        self.vitals = Vitals(clock)
        self.sharing = Sharing(self.vitals, self.store, name, clock)
        self.vitals.share(self.sharing)

    @property
    def vital(self) -> Vital:
        return self.vitals.of(BACKEND, MODEL)

    @property
    def breaker(self) -> Breaker:
        return self.vital.breaker

    def fail(self) -> None:
        """So often that the breaker opens."""
        for _ in range(FAILURES):
            self.breaker.failed()

    async def may_try(self) -> bool:
        return await self.vitals.may_try(BACKEND, MODEL)

    def pass_time(self, seconds: float) -> None:
        assert isinstance(self.clock, FakeClock)
        self.clock.advance(seconds)

    async def close(self) -> None:
        await self.sharing.close()
        await self.store.close()


@asynccontextmanager
async def replicas(
    url: str, count: int, *, real_time: bool = False
) -> AsyncIterator[list[Replica]]:
    """Replicas whose clocks have nothing to do with each other."""
    made = [
        Replica(f"replica-{at}", url, SystemClock() if real_time else FakeClock(at * 1e5))
        for at in range(count)
    ]
    try:
        yield made
    finally:
        for replica in made:
            await replica.close()


async def exchange(*some: Replica) -> None:
    """Each in turn tells and hears once."""
    for replica in some:
        assert await replica.sharing.exchange()


async def until(holds: Callable[[], bool], pause_s: float = 0.005) -> None:
    """Wait for it; a pause of 0 looks at every turn of the loop."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(pause_s)

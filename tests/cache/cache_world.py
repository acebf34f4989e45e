"""What tests of the cache's levels share: entries, stages, and Redis at the other end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from serve_app.cache.alike import Semantic
from serve_app.cache.stage import CacheStage
from serve_app.config.policy import CachePolicy
from serve_app.config.structure import CacheStructure, RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.kept import Entry, Fill, Lookup
from serve_app.store.client import Store

PATIENCE_S = 20.0


def entry(payload: bytes = b"answer", *, model: str = "mini", tags: tuple[str, ...] = ()) -> Entry:
    """An answer made now."""
    return Entry(False, payload, "alpha", model, 1, 2, 3, time.time(), 0.0, tags=tags)


def filled(fingerprint: str, tenant: str = "t", *, since: float = -60.0, **about: object) -> Fill:
    """A fill whose question came `since` seconds from now."""
    asked_at = time.time() + since
    return Fill(fingerprint, entry(**about), tenant, asked_at=asked_at)  # type: ignore[arg-type]


def stage(
    store: Store | None,
    semantic: Semantic | None = None,
    structure: CacheStructure | None = None,
) -> CacheStage:
    structure = structure or CacheStructure()
    rng = random.Random(1)
    return CacheStage(CachePolicy(), structure, store, SystemClock(), rng, semantic)


@asynccontextmanager
async def replica(url: str, *, timeout_ms: int = 5000) -> AsyncIterator[CacheStage]:
    """A replica of its own: a store, and a stage that hears of purges."""
    settings = RedisSettings(timeout_ms=timeout_ms, breaker_open_s=0.05)
    store = Store(settings, SystemClock(), url)
    cache = stage(store)
    cache.start()
    try:
        yield cache
    finally:
        await cache.close()
        await store.close()


async def level(cache: CacheStage, fingerprint: str, tenant: str = "t") -> str:
    [found] = await cache.lookup([Lookup(fingerprint, tenant)])
    return found.level


async def until(condition: Callable[[], Awaitable[bool]]) -> float:
    """Wait for a condition; how many seconds that took."""
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():
            await asyncio.sleep(0.01)
    return time.monotonic() - began

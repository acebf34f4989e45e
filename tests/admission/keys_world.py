"""Directories of API keys over a real Redis: one as each replica has it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from serve_app.admission.directory import KeyDirectory
from serve_app.admission.registrar import Registrar
from serve_app.config.structure import RedisSettings
from serve_app.core.api_key import digest
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store

PATIENCE_S = 20.0


class Replica:
    """What one replica knows of keys, and what its admins can do."""

    def __init__(self, url: str, name: str) -> None:
        self.store = Store(RedisSettings(timeout_ms=5000, breaker_open_s=0.05), SystemClock(), url)
        self.directory = KeyDirectory(self.store, name, SystemClock())
        self.registrar = Registrar(self.directory)

    def takes(self, key: str) -> bool:
        """Whether a request with this key would be let in."""
        caller = self.directory.find(digest(key))
        if caller is None or caller.record is None:
            return False
        return not caller.record.disabled and not caller.record.is_over(self.directory.now())


@asynccontextmanager
async def replica(url: str, name: str, *, start: bool = True) -> AsyncIterator[Replica]:
    made = Replica(url, name)
    if start:
        made.directory.start()
    try:
        yield made
    finally:
        await made.directory.close()
        await made.store.close()


async def until(condition: Callable[[], bool]) -> float:
    """Wait for a condition; how many seconds that took."""
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)
    return time.monotonic() - began

"""How many would-be hits were compared, and how many were wrong: counted for the whole service."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable

_FLUSH_S: Final = 1.0
_KEEP_S: Final = 30 * 86400


class Verdicts:
    """Counts here, and adds up in Redis once a second; without Redis the counts wait."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._waiting = [0, 0]
        self._total = (0, 0)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._store is not None and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="verdicts")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with suppress(StoreUnavailable):
            await self._flush()

    def count(self, same: bool) -> None:
        """A would-be hit was compared."""
        self._waiting[0] += 1
        self._waiting[1] += not same

    async def total(self) -> tuple[int, int]:
        """Compared, and wrong; as last heard from Redis where that is away."""
        with suppress(StoreUnavailable):
            await self._flush()
        return self._total[0] + self._waiting[0], self._total[1] + self._waiting[1]

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            if any(self._waiting):
                with suppress(StoreUnavailable):
                    await self._flush()

    async def _flush(self) -> None:
        if self._store is None:
            return
        key, (verified, wrong) = keys.semantic_verdicts(), self._waiting
        self._waiting = [0, 0]
        try:
            reply = await self._store.pipeline(
                [
                    ("HINCRBY", key, "verified", verified),
                    ("HINCRBY", key, "wrong", wrong),
                    ("EXPIRE", key, _KEEP_S),
                ]
            )
        except StoreUnavailable:
            self._waiting = [self._waiting[0] + verified, self._waiting[1] + wrong]
            raise
        self._total = int(reply[0]), int(reply[1])

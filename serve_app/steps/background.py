"""Work that a request leaves behind: done soon after it, in batches, never in its way.

A caller that leaves cancels its request, and what runs inside it; what must happen all the
same is handed over here, where an owner outside any request does it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from serve_app.core.turns import a_moment

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class Background(Generic[Item]):
    """A bounded queue with one worker.

    Args:
        work: does a batch; a failure is logged and the batch is given up.
        max_waiting: items that may wait; beyond it the oldest is dropped and counted.
        max_batch: items in one batch.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], Awaitable[object]],
        *,
        max_waiting: int = 4096,
        max_batch: int = 128,
    ) -> None:
        self._name = name
        self._work = work
        self._waiting: deque[Item] = deque()
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)

    def put(self, item: Item) -> None:
        """Hand over one item; never waits."""
        if len(self._waiting) >= self._max_waiting:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(item)
        self._wake.set()

    async def close(self, limit_s: float) -> None:
        """Do what waits, for at most `limit_s` seconds, then stop."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(limit_s):
                while self._waiting and not self._task.done():
                    await self._do_batch()
        except TimeoutError:
            logger.warning("%s: %d items were not done at shutdown", self._name, len(self._waiting))
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await a_moment()  # the first does not go alone where others come with it
            while self._waiting:
                await self._do_batch()

    async def _do_batch(self) -> None:
        size = min(len(self._waiting), self._max_batch)
        batch = [self._waiting.popleft() for _ in range(size)]
        try:
            await self._work(batch)
        except Exception:
            logger.exception("%s: a batch of %d was given up", self._name, size)

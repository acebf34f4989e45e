"""Work that takes as long as a request does and that nobody waits for: done beside the requests."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from serve_app.core.errors import GatewayError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class Beside(Generic[Item]):
    """Does at most `limit` things at once, and each only once at a time; more are left undone.

    Args:
        work: does one; a failure is logged.
    """

    def __init__(
        self, name: str, work: Callable[[Item], Awaitable[object]], *, limit: int = 64
    ) -> None:
        self._name = name
        self._work = work
        self._limit = limit
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def put(self, key: str, item: Item) -> bool:
        """Begin, unless it is under way already or too much is; whether it was begun."""
        if key in self._tasks or len(self._tasks) >= self._limit:
            return False
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._do(item), name=self._name, context=contextvars.Context())
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))
        return True

    async def close(self) -> None:
        """Stop what runs."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _do(self, item: Item) -> None:
        try:
            await self._work(item)
        except GatewayError as error:
            logger.warning("%s: %s", self._name, error.code)
        except Exception:
            logger.exception("%s failed", self._name)

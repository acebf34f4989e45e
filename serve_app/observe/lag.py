"""How late the event loop is: every request of the process waits at least as long."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Final

_EVERY_S: Final = 0.25
_KEPT: Final = 40
"""Measurements that are looked at: of the last ten seconds."""


class LoopLag:
    """Sleeps, and sees how late it wakes up."""

    def __init__(self) -> None:
        self._late: list[float] = [0.0] * _KEPT
        self._task: asyncio.Task[None] | None = None

    @property
    def worst_s(self) -> float:
        """Of the last ten seconds."""
        return max(self._late)

    def start(self) -> None:
        """Begin to measure; call it in the running loop."""
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(
                self._run(loop), name="loop lag", context=contextvars.Context()
            )

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        at = 0
        while True:
            due = loop.time() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self._late[at] = max(0.0, loop.time() - due)
            at = (at + 1) % _KEPT

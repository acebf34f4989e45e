"""The lookout: one for all who wait for tasks. It looks at all of their tasks in one call, ten
times a second, and wakes those whose task changed.

Redis' own way of waiting (a blocking read) would take a connection for each of them.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from serve_app.core.errors import Overloaded
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import TaskQueue, TaskState, TaskView

log = logging.getLogger(__name__)

_EVERY_S = 0.1
_TOGETHER = 200
"""Tasks in one call; with more, each is looked at less often."""
_MOST_WAITING = 5000


class Mark(Struct, frozen=True):
    """What is seen of a task: it changes with everything that is told of one."""

    state: TaskState
    attempts: int
    progress: int

    @classmethod
    def of(cls, view: TaskView) -> Mark:
        return cls(view.state, view.attempts, view.progress)


class _Watched:
    """One task, and those who wait for it."""

    __slots__ = ("changed", "mark", "waiting")

    def __init__(self) -> None:
        self.mark: Mark | None = None
        self.changed = asyncio.Event()
        self.waiting = 0


class Lookout:
    """Looks only while somebody waits."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._watched: dict[str, _Watched] = {}
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None

    async def changed(self, task_id: str, seen: Mark, limit_s: float) -> bool:
        """Wait until a task is not as it was seen; False if it still is after `limit_s` seconds.
        One that is gone has changed.

        Raises:
            Overloaded: too many are waiting.
        """
        with self._watching(task_id) as watched:
            try:
                async with asyncio.timeout(limit_s):
                    while watched.mark is None or watched.mark == seen:
                        watched.changed.clear()
                        await watched.changed.wait()
            except TimeoutError:
                return False
            return True

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @contextmanager
    def _watching(self, task_id: str) -> Iterator[_Watched]:
        if self._waiting >= _MOST_WAITING:
            raise Overloaded("Too many are waiting for tasks on this replica", retry_after_s=1)
        watched = self._watched.setdefault(task_id, _Watched())
        watched.waiting += 1
        self._waiting += 1
        if self._task is None or self._task.done():
            own, loop = contextvars.Context(), asyncio.get_running_loop()
            self._task = loop.create_task(self._look(), name="lookout", context=own)
        try:
            yield watched
        finally:
            self._waiting -= 1
            watched.waiting -= 1
            if not watched.waiting:
                del self._watched[task_id]

    async def _look(self) -> None:
        while self._watched:
            try:
                ids = list(self._watched)
                for start in range(0, len(ids), _TOGETHER):
                    await self._look_at(ids[start : start + _TOGETHER])
                    await asyncio.sleep(_EVERY_S)
            except StoreUnavailable as error:
                log.info("tasks cannot be looked at: %s", error.reason)
                await asyncio.sleep(_EVERY_S * 5)
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("tasks cannot be looked at")
                await asyncio.sleep(_EVERY_S * 10)

    async def _look_at(self, ids: list[str]) -> None:
        views = await self._queue.get_many(None, ids)
        for task_id, view in zip(ids, views, strict=True):
            watched = self._watched.get(task_id)
            mark = _GONE if view is None else Mark.of(view)
            if watched is not None and watched.mark != mark:
                watched.mark = mark
                watched.changed.set()


_GONE = Mark("cancelled", -1, -1)

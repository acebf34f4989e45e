"""A worker: takes tasks as long as there is room, keeps their leases, brings each to one end.

Redis away, it goes on with what it has and tries to store the results until the leases are over:
the fencing number decides whose result counts.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
from collections.abc import Awaitable, Callable, Mapping

from serve_app.core.clock import Clock
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import TaskQueue
from serve_app.tasks.idle import Idle
from serve_app.work.ends import Handler
from serve_app.work.progress import EVERY_S
from serve_app.work.trying import Try

log = logging.getLogger(__name__)

_SWEEP_S = 1.0
"""Between two sweeps of a worker that takes nothing; taking sweeps too."""
_AGAIN_S = 0.2
"""Between two attempts to renew leases while Redis does not answer."""
_SURELY_LOST = 2.0
"""Leases: not renewed for so many, a claim is somebody else's by now."""
_LOOK_S = 1.0
"""Longest pause until it is seen whether leases are to be renewed."""
_CLOSE_LIMIT_S = 5.0
_AFTER_BUG_S = 1.0


class Worker:
    """One worker.

    Args:
        name: among all workers.
        handlers: by kind of task.
        concurrency: tasks at once.
        low_concurrency: of low priority; None: all may be.
    """

    def __init__(
        self,
        queue: TaskQueue,
        handlers: Mapping[str, Handler],
        name: str,
        clock: Clock,
        rng: random.Random,
        *,
        concurrency: int,
        low_concurrency: int | None = None,
    ) -> None:
        self._queue = queue
        self._handlers = handlers
        self._name = name
        self._clock = clock
        self._idle = Idle(rng)
        self._concurrency = concurrency
        self._low_concurrency = low_concurrency or concurrency
        self._tries: dict[str, Try] = {}
        self._swept_at = float("-inf")
        self._is_closing = False
        self._is_held = False
        self._loops: list[asyncio.Task[None]] = []

    @property
    def busy(self) -> int:
        """Tasks under way."""
        return len(self._tries)

    def wake(self) -> None:
        """There may be something to do."""
        self._idle.wake()

    def hold(self, on: bool) -> None:
        """Take nothing more, or go on; what is under way goes on anyway."""
        self._is_held = on
        self.wake()

    def start(self) -> None:
        """Begin to work; call it in the running loop."""
        if not self._loops:
            loop = asyncio.get_running_loop()
            self._loops = [
                loop.create_task(
                    self._repeat(step),
                    name=f"worker: {step.__name__}",
                    context=contextvars.Context(),
                )
                for step in (self._take, self._renew, self._tell)
            ]

    async def close(self, grace_s: float = 0.0) -> None:
        """Take nothing more; what is not done within `grace_s` seconds is given back."""
        self._is_closing = True
        self.wake()
        if self._loops:  # a taking that is under way is not cut: its tasks would wait for the lease
            await asyncio.wait(self._loops[:1], timeout=_CLOSE_LIMIT_S)
        tasks = [one.task for one in self._tries.values()]
        if tasks and grace_s:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_LIMIT_S)
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops = []

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        while not (self._is_closing and step == self._take):
            try:
                await step()
            except StoreUnavailable as error:
                log.info("the worker waits for Redis: %s", error.reason)
                await asyncio.sleep(_AGAIN_S)
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("the worker stumbled")
                await asyncio.sleep(_AFTER_BUG_S)

    # ------------------------------------------------------------------ taking

    async def _take(self) -> None:
        """Take what there is room for, then wait for room or for a while."""
        room = 0 if self._is_held else self._concurrency - self.busy
        if room > 0:
            claims = await self._queue.take(self._name, room, self._room_for_low())
            self._swept_at = self._clock.monotonic()
            for claim in claims:
                handler = self._handlers.get(claim.task.kind)
                self._tries[claim.task.id] = Try(
                    self._queue, claim, handler, self._clock, self._over
                )
            if claims:
                self._idle.found()
        elif self._clock.monotonic() - self._swept_at > _SWEEP_S:
            self._swept_at = self._clock.monotonic()
            await self._queue.sweep()
        await self._idle.pause()

    def _room_for_low(self) -> int:
        low = sum(one.claim.task.priority == "low" for one in self._tries.values())
        return max(0, self._low_concurrency - low)

    def _over(self, one: Try) -> None:
        was_full = self.busy >= self._concurrency or not self._room_for_low()
        if self._tries.get(one.claim.task.id) is one:
            del self._tries[one.claim.task.id]
        if was_full:
            self.wake()

    # ----------------------------------------------------------------- keeping

    async def _renew(self) -> None:
        """Renew all leases in one call, when the first of them has a third of it behind."""
        now = self._clock.monotonic()
        due = [one.renewed_at + one.claim.lease_s / 3 for one in self._tries.values()]
        await asyncio.sleep(max(_AGAIN_S, min([_LOOK_S, *(at - now for at in due)])))
        now, tries = self._clock.monotonic(), list(self._tries.values())
        if not any(now - one.renewed_at > one.claim.lease_s / 3 for one in tries):
            return
        self._lose_overdue(tries, now)
        lost = await self._queue.renew(self._name, [one.claim for one in tries])
        for one in tries:
            if one.claim.task.id in lost:
                one.lose()
            else:
                one.renewed_at = now

    def _lose_overdue(self, tries: list[Try], now: float) -> None:
        """What nobody could renew for long is done by others by now."""
        for one in tries:
            if now - one.renewed_at > _SURELY_LOST * one.claim.lease_s:
                log.warning("task %s is given up: Redis is away", one.claim.task.id)
                one.lose()

    async def _tell(self) -> None:
        """Tell what the tasks have to tell, each a little at a time."""
        await asyncio.sleep(EVERY_S)
        waiting = [one for one in self._tries.values() if one.progress.is_waiting]
        if waiting:
            await asyncio.gather(*(one.progress.flush() for one in waiting))
        for one in list(self._tries.values()):
            if one.progress.is_lost:
                one.lose()

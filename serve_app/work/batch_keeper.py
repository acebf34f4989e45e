"""Looks after batches that stand still, and after content that nobody needs any more."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
from typing import Final

from serve_app.batches.openlist import Open, OpenList
from serve_app.batches.register import Register
from serve_app.core.batch import Batch, LineError
from serve_app.core.clock import Clock
from serve_app.core.errors import GatewayError
from serve_app.files.files import Files
from serve_app.store.errors import StoreUnavailable
from serve_app.work.batch_flow import BatchFlow

log = logging.getLogger(__name__)

EVERY_S: Final = 30.0
LOOK_AGAIN_S: Final = 60.0
"""Each batch that is not over is looked after so often, by one worker or another."""

GIVEN_UP_S: Final = 86_400
"""So long after its time was over a batch is given up that could not be brought to an end."""

_MOST: Final = 100
"""Batches, and pieces of content, at a time."""


class BatchKeeper:
    """Makes up for what got lost between two steps of a batch: a process that died after the one
    and before the other, a task that ran out of tries. Every worker has one; doing the same twice
    does no harm."""

    def __init__(
        self,
        register: Register,
        open_list: OpenList,
        files: Files,
        flow: BatchFlow,
        clock: Clock,
        rng: random.Random,
        every_s: float = EVERY_S,
    ) -> None:
        self._register = register
        self._open_list = open_list
        self._files = files
        self._flow = flow
        self._clock = clock
        self._rng = rng
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; call it in the running loop."""
        if self._task is None:
            own = contextvars.Context()
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name="batch keeper", context=own)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def look(self) -> int:
        """Look after the batches whose time has come. How many there were."""
        due = await self._open_list.before(self._clock.wall(), _MOST)
        for one in due:
            batch = await self._register.find(one.tenant, one.batch_id)
            if batch is None or batch.is_over:
                await self._open_list.take_off(one)
                continue
            await self._open_list.put(one, self._clock.wall() + LOOK_AGAIN_S)
            await self._push(batch)
        return len(due)

    async def _push(self, batch: Batch) -> None:
        if self._clock.wall() > batch.terms.expires_at + GIVEN_UP_S:
            what = "The batch could not be brought to an end in time."
            await self._register.fail(batch, [LineError("batch_given_up", what)])
            await self._open_list.take_off(Open(batch.tenant, batch.id))
            return
        try:
            if batch.shards:
                await self._flow.resume(batch)
            else:
                await self._flow.begin(batch)
        except GatewayError as error:  # the queue is full: the next look is in time
            log.info("batch %s waits: %s", batch.id, error.code)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s * self._rng.uniform(0.5, 1.5))
            try:
                await self.look()
                await self._files.clean(_MOST)
            except (StoreUnavailable, OSError) as error:
                log.info("batches are not looked after at the moment: %s", error)
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("the keeper of batches stumbled")

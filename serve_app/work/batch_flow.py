"""What comes next in a batch: its tasks follow one another, and none is left out."""

from __future__ import annotations

from serve_app.batches.register import Register
from serve_app.core.batch import Batch
from serve_app.work.batch_tasks import WINDOW, BatchTasks


class BatchFlow:
    """Submits what follows. Repeating a call does no harm; so whoever died before calling is made
    up for by the next who does. Every method may raise `StoreUnavailable`, or say that the queue
    is full."""

    def __init__(self, register: Register, tasks: BatchTasks) -> None:
        self._register = register
        self.tasks = tasks

    async def begin(self, batch: Batch) -> None:
        """A batch is there, to be validated."""
        await self.tasks.start(batch)

    async def resume(self, batch: Batch) -> None:
        """The plan of a batch is made: have the first of its shards worked off that are not done,
        or end it."""
        plan = await self._register.plan(batch.tenant, batch.id)
        found = await self._register.shards(batch.tenant, batch.id, range(len(plan)))
        undone = [number for number, done in enumerate(found) if done is None]
        if undone:
            await self.tasks.shards(batch, plan, undone[:WINDOW])
        else:
            await self.tasks.end(batch)

    async def follow(self, batch: Batch, number: int) -> None:
        """A shard is done."""
        now = await self._register.get(batch.tenant, batch.id)
        following = number + WINDOW
        if now.done >= now.shards:
            await self.tasks.end(batch)
        elif following < now.shards:
            one = range(following, following + 1)
            [done] = await self._register.shards(batch.tenant, batch.id, one)
            if done is None:
                plan = await self._register.plan(batch.tenant, batch.id)
                await self.tasks.shards(batch, plan, one)

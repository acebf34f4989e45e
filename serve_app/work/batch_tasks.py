"""The tasks that a batch is done by, under names that make each submission safe to repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from serve_app.core.batch import Batch, Shard
from serve_app.tasks.base import ENDED, NewTask, Submitted, TaskQueue

START: Final = "batch-start"
SHARD: Final = "batch-shard"
END: Final = "batch-end"

WINDOW: Final = 32
"""Shards of one batch that are in the queue at once, so that batches take turns: each that is done
brings in the one so many behind it."""

_RETRIES: Final = 20
"""A worker that is killed uses up a try. Tasks that are dead are brought back until the batch's
time is over."""
_KEEP_S: Final = 3600.0

_encode: Final = msgspec.msgpack.Encoder().encode


class BatchTask(Struct, frozen=True, array_like=True):
    """What the tasks of a batch are about: the whole of it, or one shard."""

    tenant: str
    batch_id: str
    number: int = -1
    """Of the shard; -1: it is about none."""
    shard: Shard | None = None


_task: Final = msgspec.msgpack.Decoder(BatchTask)


def task_of(payload: bytes) -> BatchTask:
    return _task.decode(payload)


class BatchTasks:
    """Submits them. Every method may raise `StoreUnavailable`, or say that the queue is full.

    Args:
        soft_limit_s: how long one try of any of them may take.
    """

    def __init__(self, queue: TaskQueue, soft_limit_s: float) -> None:
        self._queue = queue
        self.soft_limit_s = soft_limit_s

    async def start(self, batch: Batch) -> None:
        await self._submit(batch, [self._new(batch, START, BatchTask(batch.tenant, batch.id))])

    async def shards(self, batch: Batch, plan: Sequence[Shard], numbers: Sequence[int]) -> None:
        """Have some shards worked off."""
        tasks = [
            self._new(batch, SHARD, BatchTask(batch.tenant, batch.id, number, plan[number]))
            for number in numbers
        ]
        await self._submit(batch, tasks)

    async def end(self, batch: Batch) -> None:
        await self._submit(batch, [self._new(batch, END, BatchTask(batch.tenant, batch.id))])

    async def _submit(self, batch: Batch, tasks: list[NewTask]) -> None:
        for submitted in await self._queue.submit_many(tasks):
            if _has_stopped(submitted):
                await self._queue.forget(batch.tenant, submitted.view.id)
                await self._queue.submit(next(t for t in tasks if t.task_id == submitted.view.id))

    def _new(self, batch: Batch, kind: str, about: BatchTask) -> NewTask:
        name = hashlib.sha256(f"{batch.tenant}\n{batch.id}\n{kind}\n{about.number}".encode())
        return NewTask(
            kind=kind,
            payload=_encode(about),
            tenant=batch.tenant,
            user=batch.terms.user,
            key_id=batch.terms.key_id,
            priority="low",
            soft_limit_s=self.soft_limit_s,
            max_retries=_RETRIES,
            result_ttl_s=_KEEP_S,
            label=batch.id if about.number < 0 else f"{batch.id} shard {about.number}",
            task_id=f"task_{name.hexdigest()[:24]}",
        )


def _has_stopped(submitted: Submitted) -> bool:
    """It was there already, and has ended without having done its work: who asks for it again
    knows that."""
    return not submitted.is_new and submitted.view.state in ENDED

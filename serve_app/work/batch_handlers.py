"""The tasks of batches as a worker knows them: kinds, and who does them."""

from __future__ import annotations

from serve_app.tasks.base import Claim
from serve_app.work.batch_end import BatchEnd
from serve_app.work.batch_shard import BatchShard
from serve_app.work.batch_start import BatchStart
from serve_app.work.batch_tasks import END, SHARD, START
from serve_app.work.ends import Handler, TaskEnd
from serve_app.work.progress import Progress

_DONE = TaskEnd(b"")
"""What a task came to is in the batch."""


def batch_handlers(start: BatchStart, shard: BatchShard, end: BatchEnd) -> dict[str, Handler]:
    """By kind of task."""

    async def do_start(claim: Claim, progress: Progress) -> TaskEnd:
        await start.run(claim.payload)
        return _DONE

    async def do_shard(claim: Claim, progress: Progress) -> TaskEnd:
        await shard.run(claim.payload, claim.soft_limit_s)
        return _DONE

    async def do_end(claim: Claim, progress: Progress) -> TaskEnd:
        await end.run(claim.payload)
        return _DONE

    return {START: do_start, SHARD: do_shard, END: do_end}

"""Batches have a share of a worker, never all of it."""

from __future__ import annotations

import asyncio
import random

from serve_app.config.policy import TasksPolicy
from serve_app.config.structure import TaskSettings
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store
from serve_app.tasks.base import Claim, NewTask, TaskPriority
from serve_app.tasks.queue import RedisQueue
from serve_app.work.ends import TaskEnd
from serve_app.work.progress import Progress
from serve_app.work.worker import Worker

LIMIT_S = 20.0


def queue_on(store: Store) -> RedisQueue:
    return RedisQueue(store, TaskSettings(), TasksPolicy(), random.Random(1))


def task(priority: TaskPriority, payload: bytes = b"") -> NewTask:
    return NewTask("test", payload, "t", priority=priority)


async def test_so_many_of_low_priority_are_given_out_and_the_rest_stays(store: Store) -> None:
    queue = queue_on(store)
    await queue.submit_many([task("low") for _ in range(5)])
    await queue.submit_many([task("high"), task("normal")])
    taken = [claim.task.priority for claim in await queue.take("w", 10, 2)]
    assert sorted(taken) == ["high", "low", "low", "normal"]
    assert await queue.take("w", 10, 0) == []
    assert len(await queue.take("w", 10, 9)) == 3


async def test_somebodys_task_does_not_wait_behind_a_batch(store: Store) -> None:
    queue = queue_on(store)
    may_end, begun, low = asyncio.Event(), asyncio.Event(), 0
    done: list[bytes] = []

    async def handle(claim: Claim, progress: Progress) -> TaskEnd:
        nonlocal low
        if claim.task.priority == "low":
            low += 1
            begun.set()
            await may_end.wait()
        done.append(claim.payload)
        return TaskEnd(b"")

    async def until_done(count: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while len(done) < count:
                await asyncio.sleep(0.01)

    worker = Worker(
        queue, {"test": handle}, "w", SystemClock(), random.Random(1),
        concurrency=3, low_concurrency=1,
    )  # fmt: skip
    await queue.submit_many([task("low", b"shard") for _ in range(6)])
    worker.start()
    await begun.wait()
    await queue.submit_many([task("normal", b"mine") for _ in range(4)])
    worker.wake()
    await until_done(4)
    assert (done, low) == ([b"mine"] * 4, 1)
    may_end.set()
    await until_done(10)
    await worker.close()

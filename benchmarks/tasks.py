"""What the queue of tasks costs: `python -m benchmarks.tasks`.

A Valkey of its own (append-only), one process that submits and works. With 100,000 tasks waiting:
milliseconds of a submission, of a worker's turns, bytes of a task in Redis; then what workers
without work ask of Redis.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from redis import Redis
from rich.console import Console
from rich.table import Table

from serve_app.config.structure import RedisSettings, TaskSettings
from serve_app.config.tasks_policy import TasksPolicy
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey
from serve_app.tasks.base import NewTask
from serve_app.tasks.idle import Idle
from serve_app.tasks.queue import RedisQueue

QUEUED = 100_000
PORTION = 1000
SUBMISSIONS = 5000
TURNS = 1000
CONCURRENT = 16
IDLE_WORKERS = 8
IDLE_S = 10.0
PAYLOAD = b"x" * 1024


def _new(tenant: str = "bulk") -> NewTask:
    return NewTask("job", PAYLOAD, tenant)


async def _timed(times: list[float], what: Callable[[], Awaitable[object]]) -> None:
    began = time.perf_counter()
    await what()
    times.append((time.perf_counter() - began) * 1000)


def _row(table: Table, name: str, times: Sequence[float]) -> None:
    ordered = sorted(times)
    p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    table.add_row(name, f"{p50:.2f} ms", f"{p99:.2f} ms")


async def _fill(queue: RedisQueue) -> float:
    """Tasks per second."""
    began = time.perf_counter()
    for _ in range(QUEUED // PORTION):
        await queue.submit_many([_new() for _ in range(PORTION)])
    return QUEUED / (time.perf_counter() - began)


async def _submit(queue: RedisQueue) -> tuple[list[float], list[float]]:
    """Milliseconds of one alone, and of one among several at once."""
    alone: list[float] = []
    among: list[float] = []
    for _ in range(SUBMISSIONS):
        await _timed(alone, lambda: queue.submit(_new()))

    async def one_after_the_other() -> None:
        for _ in range(SUBMISSIONS // CONCURRENT):
            await _timed(among, lambda: queue.submit(_new()))

    await asyncio.gather(*(one_after_the_other() for _ in range(CONCURRENT)))
    return alone, among


async def _work(queue: RedisQueue) -> tuple[list[float], list[float], float]:
    """Milliseconds to take four and to finish one, tasks per second."""
    take: list[float] = []
    finish: list[float] = []
    began = time.perf_counter()
    for _ in range(TURNS):
        started = time.perf_counter()
        claims = await queue.take("w", 4)
        take.append((time.perf_counter() - started) * 1000)
        for claim in claims:
            await _timed(finish, lambda claim=claim: queue.finish(claim, PAYLOAD))  # type: ignore[misc]
    return take, finish, len(finish) / (time.perf_counter() - began)


async def _wait_for_turn(queue: RedisQueue) -> float:
    """Milliseconds until another tenant's one task is taken."""
    began = time.perf_counter()
    await queue.submit(_new("single"))
    while not any(claim.task.tenant == "single" for claim in await queue.take("w", 1)):
        pass
    return (time.perf_counter() - began) * 1000


async def _idle(queue: RedisQueue, redis: Redis) -> tuple[float, float]:
    """Commands per second that a worker without work sends; its share of Valkey's CPU, percent."""

    async def rest(name: str) -> None:
        idle = Idle(random.Random())
        while True:
            await queue.take(name, 4)
            await idle.pause()

    workers = [asyncio.create_task(rest(f"idle-{i}")) for i in range(IDLE_WORKERS)]
    await asyncio.sleep(2)
    before, cpu = redis.info("commandstats")["cmdstat_evalsha"]["calls"], _cpu_s(redis)
    await asyncio.sleep(IDLE_S)
    after, spent = redis.info("commandstats")["cmdstat_evalsha"]["calls"], _cpu_s(redis)
    assert not any(worker.done() for worker in workers)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    per_worker = IDLE_WORKERS * IDLE_S
    return (after - before) / per_worker, (spent - cpu) / per_worker * 100


def _cpu_s(redis: Redis) -> float:
    said = redis.info("cpu")
    return float(said["used_cpu_user"]) + float(said["used_cpu_sys"])


def _bytes(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])


async def measure(url: str, table: Table) -> None:
    """Fill the table."""
    store = Store(RedisSettings(timeout_ms=5000), SystemClock(), url)
    queue = RedisQueue(store, TaskSettings(lease_s=300), TasksPolicy(), random.Random())
    with Redis.from_url(url) as redis:
        empty = _bytes(redis)
        per_s = await _fill(queue)
        per_task = (_bytes(redis) - empty) / QUEUED
        table.add_row("submitted in bulk", f"{per_s:.0f} /s", "")
        table.add_row("memory of a task (payload 1024 bytes)", f"{per_task:.0f} bytes", "")
        alone, among = await _submit(queue)
        _row(table, f"submit one, {QUEUED:,} waiting", alone)
        _row(table, f"submit one of {CONCURRENT} at once", among)
        take, finish, worked = await _work(queue)
        _row(table, "take four", take)
        _row(table, "finish one", finish)
        table.add_row("taken and finished by one worker", f"{worked:.0f} /s", "")
        _row(table, "one task of another tenant is taken", [await _wait_for_turn(queue)])
        redis.flushall()
        commands, cpu = await _idle(queue, redis)
        table.add_row("a worker without work", f"{commands:.1f} commands/s", f"{cpu:.2f} % CPU")
    await store.close()


def main() -> int:
    """Measure and print."""
    table = Table("what", "p50", "p99", title="The queue of tasks")
    with tempfile.TemporaryDirectory(prefix="serve-app-") as folder:
        server = EmbeddedValkey(Path(folder) / "valkey")
        server.start()
        try:
            asyncio.run(measure(server.url, table))
        finally:
            server.stop()
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

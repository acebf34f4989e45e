"""A Valkey that is killed and comes back: what was accepted is done, what was done stays done."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tasks.task_world import TENANT, Hands, new, queue_over

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import Claim
from serve_app.tasks.queue import RedisQueue

TASKS = 150
LIMIT_S = 60.0


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path / "v")
    server.start()
    yield server
    server.stop()


def _kill(server: EmbeddedValkey) -> None:
    assert server.pid is not None
    process = psutil.Process(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    process.wait(10)
    server.stop()
    server.start()


@pytest.fixture
async def queue(own_valkey: EmbeddedValkey) -> AsyncIterator[RedisQueue]:
    settings = RedisSettings(timeout_ms=2000, breaker_open_s=0.02)
    store = Store(settings, SystemClock(), own_valkey.url)
    yield queue_over(store, lease_s=1.0, retries=100)
    await store.close()


class Crew:
    """Submits tasks and does them, and remembers what it was told."""

    def __init__(self, queue: RedisQueue) -> None:
        self.queue = queue
        self.accepted: list[str] = []
        self.done: dict[str, bytes] = {}

    async def submit(self) -> None:
        for i in range(TASKS):
            named = new(b"%d" % i, task_id=f"task_{i:024x}")
            await _until_answered(lambda named=named: self.queue.submit(named))
            self.accepted.append(named.task_id)

    async def work(self, name: str) -> None:
        while len(self.done) < TASKS:
            try:
                claims = await self.queue.take(name, 2)
            except StoreUnavailable:
                claims = []
            for claim in claims:
                await self._end(claim, b"%b by %b" % (claim.payload, name.encode()))
            await asyncio.sleep(0.005)

    async def _end(self, claim: Claim, result: bytes) -> None:
        if await _until_answered(lambda: self.queue.finish(claim, result)):
            assert claim.task.id not in self.done, "a result was stored twice"
            self.done[claim.task.id] = result


async def _until_answered(ask: Callable[[], object]) -> object:
    while True:
        try:
            return await ask()  # type: ignore[misc]
        except StoreUnavailable:
            await asyncio.sleep(0.02)


async def test_nothing_is_lost_and_nothing_is_done_twice(
    own_valkey: EmbeddedValkey, queue: RedisQueue
) -> None:
    crew = Crew(queue)
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        group.create_task(crew.submit())
        for name in ("w1", "w2", "w3"):
            group.create_task(crew.work(name))
        for part in (1, 2, 3):
            while len(crew.done) < part * TASKS // 4:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(_kill, own_valkey)
    assert len(crew.accepted) == len(crew.done) == TASKS
    for task_id, result in crew.done.items():
        view = await queue.get(TENANT, task_id)
        assert view is not None
        assert (view.state, view.result) == ("succeeded", result)
    hands = Hands(own_valkey.url)
    hands.audit()
    hands.close()

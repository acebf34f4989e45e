"""Workers that die, stall, end and lose Redis: each task has one result, and is paid for once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from later import Later, policy, until
from provider.fixtures import ScriptedProvider
from wire_line import line_to

from serve_app.config.structure import RedisSettings, TaskSettings
from serve_app.config.tasks_policy import TasksPolicy
from serve_app.core.clock import SystemClock
from serve_app.core.errors import Overloaded
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey
from serve_app.tasks.base import Claim, NewTask
from serve_app.tasks.queue import RedisQueue
from serve_app.work.ends import Handler, TaskEnd
from serve_app.work.progress import Progress
from serve_app.work.worker import Worker

NO_WORKER = {"placement": {"workers": "deployed"}}
"""A house whose tasks are done by others."""


async def test_a_worker_that_lost_redis_is_overtaken_and_paid_for_once(
    open_later: Callable[..., Any], clean_valkey: EmbeddedValkey, provider: ScriptedProvider
) -> None:
    """The zombie: it answers, too, but another has the task by then."""
    provider.script("ok", "ok-slow-2500ms", "ok")
    async with (
        line_to(clean_valkey) as line,
        open_later(args=NO_WORKER, replica="front") as front,
        open_later(environ={"SERVE_APP_REDIS_URL": line.url}, replica="zombie"),
    ):
        task_id = await front.submitted()
        assert await asyncio.to_thread(provider.wait, "ok", "seen")
        line.cut()
        async with open_later(replica="second", args={"cache": {"l2": False}}):
            found = await front.ended(task_id)
            assert (found["status"], found["attempts"]) == ("succeeded", 2)
            assert await asyncio.to_thread(provider.wait, "ok", "done", 2)
            line.mend()
    view = await front_view(clean_valkey, task_id)
    assert view.worker.startswith("second")
    async with open_later(args=NO_WORKER) as front:
        total = (await front.house.ledger.totals("default")).total
    assert (total.requests, total.completion_tokens) == (1, 3)


async def front_view(valkey: EmbeddedValkey, task_id: str) -> Any:
    store = Store(RedisSettings(timeout_ms=5000), SystemClock(), valkey.url)
    try:
        return await queue_on(store).get(None, task_id)
    finally:
        await store.close()


async def test_without_redis_nothing_is_taken_in(
    open_later: Callable[..., Any], clean_valkey: EmbeddedValkey
) -> None:
    args = {**NO_WORKER, "redis": {"timeout_ms": 100}}
    async with (
        line_to(clean_valkey) as line,
        open_later(environ={"SERVE_APP_REDIS_URL": line.url}, args=args) as front,
    ):
        line.cut()
        async with front.http.post("/agent/async", json={"message": "m"}) as answer:
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert (await answer.json())["error"]["code"] == "queue_unavailable"
        line.mend()
        await until(lambda: taken_in(front))


async def taken_in(front: Later) -> bool:
    status, _ = await front.submit(message="m")
    return status == 202


async def test_redis_may_be_away_while_the_work_is_done(
    open_later: Callable[..., Any], clean_valkey: EmbeddedValkey, provider: ScriptedProvider
) -> None:
    provider.script("ok", "ok-slow-400ms")
    async with (
        line_to(clean_valkey) as line,
        open_later(args=NO_WORKER, replica="front") as front,
        open_later(environ={"SERVE_APP_REDIS_URL": line.url}, args={"tasks": {"lease_s": 60}}),
    ):
        task_id = await front.submitted()
        assert await asyncio.to_thread(provider.wait, "ok", "seen")
        line.cut()
        assert await asyncio.to_thread(provider.wait, "ok", "done")
        line.mend()
        found = await front.ended(task_id)
        assert (found["status"], found["attempts"]) == ("succeeded", 1)
        assert (await front.house.ledger.totals("default")).total.requests == 1


async def test_a_worker_that_ends_gives_back_what_it_has(
    open_later: Callable[..., Any], provider: ScriptedProvider
) -> None:
    """At once, and not when its lease is over; the try is not counted."""
    provider.script("ok", "endless", "ok")
    slow = {"tasks": {"lease_s": 60}}
    async with open_later(args=NO_WORKER, replica="front") as front:
        async with open_later(args=slow, replica="first"):
            task_id = await front.submitted(soft_limit_s=100)
            assert await asyncio.to_thread(provider.wait, "ok", "seen")
        assert await asyncio.to_thread(provider.wait, "ok", "aborted")
        async with open_later(args=slow, replica="second"):
            found = await front.ended(task_id)
        assert (found["status"], found["attempts"]) == ("succeeded", 1)
        total = (await front.house.ledger.totals("default")).total
        assert total.requests == 1


async def test_a_gateway_that_closes_takes_no_more_tasks(open_later: Callable[..., Any]) -> None:
    async with (
        open_later(args=NO_WORKER, replica="front") as front,
        open_later(replica="closing") as closing,
    ):
        closing.house.apply(policy(draining=True))
        task_id = await front.submitted()
        status, found = await front.result(task_id, wait_s=1)
        assert (status, found["status"]) == (200, "pending")
        closing.house.apply(policy())
        assert (await front.ended(task_id))["status"] == "succeeded"


# ------------------------------------------------------------- the worker alone


def queue_on(store: Store, **changes: Any) -> RedisQueue:
    rules = TasksPolicy.model_validate({"backoff_s": 0.01, **changes})
    return RedisQueue(store, TaskSettings(lease_s=1), rules, random.Random(1))


class Crew:
    """A worker over a real queue, with a handler of the test's."""

    def __init__(self, store: Store, handler: Handler, concurrency: int = 4) -> None:
        self.queue = queue_on(store)
        self.worker = Worker(
            self.queue,
            {"test": handler},
            "w",
            SystemClock(),
            random.Random(1),
            concurrency=concurrency,
        )

    async def __aenter__(self) -> Crew:
        self.worker.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.worker.close()

    async def add(self, **more: Any) -> str:
        task = {"kind": "test", "payload": b"p", "tenant": "t", **more}
        done = await self.queue.submit(NewTask(**task))
        self.worker.wake()
        return done.view.id

    async def end(self, task_id: str) -> Any:
        await until(lambda: self._has_ended(task_id))
        return await self.queue.get(None, task_id)

    async def _has_ended(self, task_id: str) -> bool:
        view = await self.queue.get(None, task_id)
        return view is not None and bool(view.ended_at)


async def test_no_more_tasks_are_under_way_than_there_is_room_for(store: Store) -> None:
    running = most = 0

    async def handle(claim: Claim, progress: Progress) -> TaskEnd:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return TaskEnd(claim.payload)

    async with Crew(store, handle, concurrency=3) as crew:
        ids = [await crew.add() for _ in range(12)]
        ends = [await crew.end(task_id) for task_id in ids]
    assert [view.state for view in ends] == ["succeeded"] * 12
    assert most == 3


async def test_errors_of_a_handler_end_its_try(store: Store) -> None:
    errors: list[Exception] = [RuntimeError("a mistake"), Overloaded("full", retry_after_s=0.01)]

    async def handle(claim: Claim, progress: Progress) -> TaskEnd:
        if errors:
            raise errors.pop(0)
        return TaskEnd(b"done")

    async with Crew(store, handle) as crew:
        view = await crew.end(await crew.add())
    assert (view.state, view.attempts, view.result) == ("succeeded", 3, b"done")


async def test_a_result_that_is_too_large_fails_for_good(store: Store) -> None:
    async def handle(claim: Claim, progress: Progress) -> TaskEnd:
        return TaskEnd(b"x" * 100)

    crew = Crew(store, handle)
    crew.queue.reconfigure(TasksPolicy(max_result_bytes=10))
    async with crew:
        view = await crew.end(await crew.add())
    assert (view.state, view.error_code) == ("failed", "result_too_large")


async def test_a_kind_that_nobody_knows_waits_for_one_who_does(store: Store) -> None:
    async def handle(claim: Claim, progress: Progress) -> TaskEnd:
        raise AssertionError("not this one")

    async with Crew(store, handle) as crew:
        task_id = await crew.add(kind="strange")
        await until(lambda: failed_once(crew.queue, task_id))
        view = await crew.queue.get(None, task_id)
    assert view is not None
    assert (view.state, view.error_code) == ("delayed", "unknown_kind")


async def failed_once(queue: RedisQueue, task_id: str) -> bool:
    view = await queue.get(None, task_id)
    return view is not None and view.state == "delayed"


async def test_a_cancelled_task_is_stopped_when_its_worker_hears_of_it(store: Store) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def handle(claim: Claim, progress: Progress) -> TaskEnd:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()
        return TaskEnd(b"")

    async with Crew(store, handle) as crew:
        task_id = await crew.add()
        await asyncio.wait_for(began.wait(), 10)
        await crew.queue.cancel(None, task_id)
        await asyncio.wait_for(stopped.wait(), 10)
        await until(lambda: crew.worker.busy == 0)
        view = await crew.end(task_id)
    assert view.state == "cancelled"


async def test_a_long_task_keeps_its_lease(store: Store) -> None:
    """Longer than the lease (1 s): nobody else gets it."""
    began = 0

    async def handle(claim: Claim, progress: Progress) -> TaskEnd:
        nonlocal began
        began += 1
        await asyncio.sleep(1.6)
        return TaskEnd(b"done")

    async with Crew(store, handle) as crew, Crew(store, handle):
        view = await crew.end(await crew.add())
    assert (view.attempts, began) == (1, 1)


async def test_text_gathers_to_few_events(store: Store) -> None:
    async def handle(claim: Claim, progress: Progress) -> TaskEnd:
        for _ in range(200):
            await progress.text("word ")
        await progress.event(b'{"done":1}')
        await progress.text("last")
        return TaskEnd(b"")

    async with Crew(store, handle) as crew:
        task_id = await crew.add()
        await crew.end(task_id)
        events = await crew.queue.events(None, task_id)
    told = [event.data for event in events if event.kind == "progress"]
    assert told[-1] == b'{"delta":"last"}'
    assert told[-2] == b'{"done":1}'
    assert len(told) <= 4
    assert events[-1].kind == "end"

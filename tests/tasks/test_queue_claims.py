"""Workers that hang, die or are cut off: a task is neither lost nor done twice where it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from tasks.task_world import TENANT, Hands, new, queue_over, taken

from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.queue import RedisQueue


async def test_a_stalled_worker_loses_its_task_to_another(queue: RedisQueue, hands: Hands) -> None:
    await queue.submit(new())
    stalled = await taken(queue, "stalled")
    hands.expire(stalled.task.id)
    other = await taken(queue, "other")
    assert (other.task.id, other.task.attempts) == (stalled.task.id, 2)
    assert other.fence > stalled.fence
    assert await queue.renew("stalled", [stalled]) == {stalled.task.id}
    assert not await queue.progress(stalled, [b"late"])
    assert not await queue.finish(stalled, b"of the stalled one")
    assert await queue.fail(stalled, "late", "late", retry=True) is None
    assert not await queue.release(stalled)
    assert await queue.finish(other, b"of the other")
    assert not await queue.finish(stalled, b"of the stalled one")
    view = await queue.get(TENANT, other.task.id)
    assert view is not None
    assert (view.result, view.worker, view.error_code) == (b"of the other", "other", "")


async def test_between_the_lease_and_the_next_worker_nobody_may_finish(
    queue: RedisQueue, hands: Hands
) -> None:
    await queue.submit(new())
    claim = await taken(queue)
    hands.expire(claim.task.id)
    assert (await queue.sweep()).expired == 1
    assert not await queue.finish(claim, b"late")
    assert not await queue.release(claim)
    assert await queue.fail(claim, "late", "late", retry=True) is None
    view = await queue.get(TENANT, claim.task.id)
    assert view is not None
    assert (view.state, view.error_code) == ("pending", "worker_lost")


async def test_a_worker_that_is_late_but_not_yet_replaced_keeps_its_task(
    queue: RedisQueue, hands: Hands
) -> None:
    await queue.submit(new())
    claim = await taken(queue)
    hands.expire(claim.task.id)
    assert await queue.renew("w", [claim]) == set()
    assert (await queue.sweep()).expired == 0
    hands.expire(claim.task.id)
    assert await queue.finish(claim, b"done")


class Deaf:
    """A store whose caller does not hear the answer."""

    def __init__(self, store: Store, error: BaseException) -> None:
        self._store = store
        self._error = error

    async def script(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        await self._store.script(name, keys, args)
        raise self._error


@pytest.mark.parametrize("error", [StoreUnavailable("late"), asyncio.CancelledError()])
async def test_who_did_not_hear_what_it_was_given_is_told_again(
    store: Store, hands: Hands, error: BaseException
) -> None:
    queue = queue_over(store)
    ids = [one.view.id for one in await queue.submit_many([new(b"%d" % i) for i in range(4)])]
    queue._store = Deaf(store, error)  # type: ignore[assignment]
    with pytest.raises(type(error)):
        await queue.take("w", 2)
    queue._store = store
    await queue.cancel(None, ids[0])
    assert [c.payload for c in await queue.take("v", 1)] == [b"2"]
    [claim] = await queue.take("w", 2)
    assert (claim.payload, claim.task.attempts) == (b"1", 1)
    assert await queue.renew("w", [claim]) == set()
    assert [c.payload for c in await queue.take("w", 1)] == [b"3"]


async def test_a_lease_ends_by_itself(store: Store, hands: Hands) -> None:
    queue = queue_over(store, lease_s=1.0)
    await queue.submit(new())
    claim = await taken(queue, "dies")
    async with asyncio.timeout(10):
        while not (again := await queue.take("other", 1)):
            await asyncio.sleep(0.05)
    assert again[0].task.id == claim.task.id
    assert again[0].task.started_at - claim.task.started_at >= 1.0


async def test_who_kills_every_worker_ends_dead(queue: RedisQueue, hands: Hands) -> None:
    task_id = (await queue.submit(new(max_retries=1))).view.id
    for _ in range(2):
        await taken(queue)
        hands.expire(task_id)
    swept = await queue.sweep()
    assert (swept.expired, swept.dead) == (1, 1)
    view = await queue.get(TENANT, task_id)
    assert view is not None
    assert (view.state, view.error_code) == ("dead", "worker_lost")


async def test_many_workers_at_once_do_each_task_once(store: Store, hands: Hands) -> None:
    queues = [queue_over(store) for _ in range(4)]
    await queues[0].submit_many([new(b"%d" % i, tenant="ab"[i % 2]) for i in range(200)])
    done: list[bytes] = []

    async def work(name: str, queue: RedisQueue) -> None:
        while claims := await queue.take(name, 3):
            done.extend([c.payload for c in claims if await queue.finish(c, c.payload)])

    await asyncio.gather(*(work(f"w{i}", queue) for i, queue in enumerate(queues)))
    assert sorted(map(int, done)) == list(range(200))


async def test_sweeps_at_once_take_a_task_back_once(store: Store, hands: Hands) -> None:
    queue = queue_over(store)
    await queue.submit_many([new() for _ in range(30)])
    for claim in await queue.take("dies", 30):
        hands.expire(claim.task.id)
    swept = await asyncio.gather(*(queue.sweep(7) for _ in range(8)))
    assert sum(one.expired for one in swept) == 30
    assert max(one.expired for one in swept) <= 7
    assert len(await queue.take("w", 100)) == 30

"""Submissions that mean the same task."""

from __future__ import annotations

import asyncio

import pytest
from tasks.task_world import TENANT, Hands, new, taken

from serve_app.tasks.base import TaskConflict
from serve_app.tasks.queue import RedisQueue

SAME = {"idempotency_key": "my key: {1}", "idempotency_digest": "d1"}


async def test_the_same_key_and_body_mean_the_same_task(queue: RedisQueue, hands: Hands) -> None:
    first = await queue.submit(new(b"one", **SAME))
    second = await queue.submit(new(b"one", **SAME))
    assert (second.view.id, first.is_new, second.is_new) == (first.view.id, True, False)
    claim = await taken(queue)
    await queue.finish(claim, b"done")
    third = await queue.submit(new(b"one", **SAME))
    assert (third.view.id, third.view.state) == (first.view.id, "succeeded")


async def test_at_once_they_are_one_task_as_well(queue: RedisQueue, hands: Hands) -> None:
    made = await asyncio.gather(*(queue.submit(new(b"one", **SAME)) for _ in range(20)))
    assert len({one.view.id for one in made}) == 1
    assert sum(one.is_new for one in made) == 1
    assert len(await queue.take("w", 100)) == 1


async def test_the_same_key_with_another_body_is_a_conflict(
    queue: RedisQueue, hands: Hands
) -> None:
    await queue.submit(new(b"one", **SAME))
    with pytest.raises(TaskConflict) as conflict:
        await queue.submit(new(b"two", **SAME | {"idempotency_digest": "d2"}))
    assert (conflict.value.status, conflict.value.code) == (409, "idempotency_conflict")
    assert len(await queue.take("w", 100)) == 1


async def test_keys_of_tenants_are_their_own(queue: RedisQueue, hands: Hands) -> None:
    await queue.submit(new(b"one", **SAME))
    other = await queue.submit(new(b"two", "other", **SAME | {"idempotency_digest": "d2"}))
    assert other.is_new


async def test_a_key_is_free_when_its_task_is_forgotten(queue: RedisQueue, hands: Hands) -> None:
    first = await queue.submit(new(b"one", **SAME))
    await queue.cancel(TENANT, first.view.id)
    hands.outlive(first.view.id)
    second = await queue.submit(new(b"two", **SAME | {"idempotency_digest": "d2"}))
    assert (second.is_new, second.view.id != first.view.id) == (True, True)


async def test_a_submission_whose_answer_was_lost_is_repeated(
    queue: RedisQueue, hands: Hands
) -> None:
    named = new(task_id="task_" + "0a" * 12)
    assert (await queue.submit(named)).is_new
    again = await queue.submit_many([named, new()])
    assert [one.is_new for one in again] == [False, True]
    assert again[0].view.id == named.task_id


async def test_nobody_gets_at_a_task_by_naming_it(queue: RedisQueue, hands: Hands) -> None:
    task_id = "task_" + "0a" * 12
    await queue.submit(new(b"secret", task_id=task_id))
    with pytest.raises(TaskConflict):
        await queue.submit(new(tenant="other", task_id=task_id))


async def test_a_full_queue_still_knows_its_tasks(queue: RedisQueue, hands: Hands) -> None:
    queue.reconfigure(queue._policy.model_copy(update={"max_queued": 1}))
    first = await queue.submit(new(**SAME))
    assert (await queue.submit(new(**SAME))).view.id == first.view.id

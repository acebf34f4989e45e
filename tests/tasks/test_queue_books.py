"""Lists, figures and purges of tasks."""

from __future__ import annotations

import pytest
from tasks.task_world import TENANT, Hands, new, taken

from serve_app.tasks.base import STATES, BadTask, Count, TaskState
from serve_app.tasks.queue import RedisQueue


async def one_of_each(queue: RedisQueue) -> dict[TaskState, str]:
    """A task in each state, submitted in this order."""
    made: dict[TaskState, str] = {}
    for state in ("succeeded", "failed", "dead", "cancelled", "delayed"):
        task_id = (await queue.submit(new(max_retries=0))).view.id
        made[state] = task_id
        if state == "delayed":
            [claim] = await queue.take("w", 1)
            await queue.forget(None, claim.task.id)
            made[state] = (await queue.submit(new(delay_s=60))).view.id
            continue
        claim = await taken(queue)
        if state == "succeeded":
            await queue.finish(claim, b"done")
        elif state == "cancelled":
            await queue.cancel(None, task_id)
        else:
            await queue.fail(claim, "x", "x", retry=state == "dead")
    running = (await queue.submit(new())).view.id
    await taken(queue)
    made["running"] = running
    made["pending"] = (await queue.submit(new())).view.id
    return made


async def test_a_list_of_a_state(queue: RedisQueue, hands: Hands) -> None:
    made = await one_of_each(queue)
    for state in STATES:
        for tenant in (None, TENANT):
            page = await queue.list(tenant, state)
            assert [(view.id, view.state) for view in page.tasks] == [(made[state], state)]
            assert page.next == ""
        assert (await queue.list("other", state)).tasks == ()


@pytest.mark.parametrize("tenant", [None, TENANT])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_pages_have_every_task_once_newest_first(
    queue: RedisQueue, hands: Hands, tenant: str | None, size: int
) -> None:
    made = await one_of_each(queue)
    order = ["pending", "running", "delayed", "cancelled", "dead", "failed", "succeeded"]
    found, cursor = [], ""
    while True:
        page = await queue.list(tenant, cursor=cursor, limit=size)
        assert len(page.tasks) <= size
        found += [view.id for view in page.tasks]
        cursor = page.next
        if not cursor:
            break
    assert found == [made[state] for state in order]


async def test_a_state_is_found_among_many_others(queue: RedisQueue, hands: Hands) -> None:
    await queue.submit_many([new(tenant="other") for _ in range(40)])
    mine = [(await queue.submit(new())).view.id for _ in range(3)]
    await queue.submit_many([new(tenant="other") for _ in range(40)])
    page = await queue.list(TENANT, "pending", limit=2)
    rest = await queue.list(TENANT, "pending", page.next, limit=2)
    assert [view.id for view in page.tasks + rest.tasks] == mine[::-1]


async def test_the_backlog_counts_by_priority(queue: RedisQueue, hands: Hands) -> None:
    await one_of_each(queue)
    await queue.submit_many([new(priority="low"), new(priority="low"), new(priority="high")])
    backlog = await queue.backlog()
    assert backlog.by_priority == {
        "high": Count(waiting=1),
        "normal": Count(waiting=1, delayed=1, running=1, dead=1),
        "low": Count(waiting=2),
    }
    assert (backlog.waiting, backlog.running) == (4, 1)
    assert 0 <= backlog.oldest_s < 60
    assert backlog.bytes > 0


async def test_a_task_is_not_older_than_its_delayed_start(queue: RedisQueue, hands: Hands) -> None:
    hour = 3600
    task_id = (await queue.submit(new(delay_s=hour))).view.id
    record = f"serve-app:v1:{{[tasks]}}:task:{task_id}"
    hands.redis.hincrby(record, "born", -hour * 1_000_000)
    born = hands.redis.hget(record, "born")
    for index in ("state:delayed", f"of:{TENANT}"):
        hands.redis.zadd(f"serve-app:v1:{{[tasks]}}:{index}", {task_id: born})
    hands.redis.hset(record, "wait", int(hands.redis.time()[0]) * 1000)
    hands.make_due(task_id)
    await queue.sweep()
    assert (await queue.backlog()).oldest_s < 60


async def test_a_purge_takes_what_is_meant(queue: RedisQueue, hands: Hands) -> None:
    made = await one_of_each(queue)
    assert (await queue.purge("dead", older_than_s=60)).count == 0
    assert (await queue.purge("dead", tenant="other")).count == 0
    assert (await queue.purge("dead")).count == 1
    assert await queue.get(None, made["dead"]) is None
    purged, cursor = 0, ""
    while True:
        step = await queue.purge(None, cursor=cursor, limit=1)
        purged, cursor = purged + step.count, step.next
        if not cursor:
            break
    assert purged == 3
    assert {view.state for view in (await queue.list(None)).tasks} == {
        "pending", "running", "delayed"
    }  # fmt: skip
    assert (await queue.purge("pending")).count == 1
    with pytest.raises(BadTask):
        await queue.purge("running")


@pytest.mark.parametrize("cursor", ["x", "-1", "1:2", "1" * 17, "٣"])
async def test_a_cursor_that_is_none(queue: RedisQueue, cursor: str) -> None:
    with pytest.raises(BadTask):
        await queue.list(None, cursor=cursor)
    with pytest.raises(BadTask):
        await queue.purge(None, cursor=cursor)

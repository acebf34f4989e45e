"""Following a task: every event once, from wherever the follower was."""

from __future__ import annotations

import pytest
from tasks.task_world import TENANT, Hands, new, queue_over, taken

from serve_app.store.client import Store
from serve_app.tasks.base import BadTask, TaskEvent, TaskNotFound
from serve_app.tasks.queue import MAX_EVENT_BYTES, RedisQueue


def words(events: list[TaskEvent]) -> list[tuple[str, bytes]]:
    return [(event.kind, event.data) for event in events]


async def test_a_follower_goes_on_where_it_was(queue: RedisQueue, hands: Hands) -> None:
    task_id = (await queue.submit(new())).view.id
    assert await queue.events(TENANT, task_id) == []
    claim = await taken(queue)
    assert await queue.progress(claim, [b"a", b"\xff"])
    first = await queue.events(TENANT, task_id)
    assert words(first) == [("progress", b"a"), ("progress", b"\xff")]
    assert await queue.events(TENANT, task_id, first[-1].id) == []
    await queue.progress(claim, [b"c"])
    await queue.finish(claim, b"done")
    rest = await queue.events(TENANT, task_id, first[0].id)
    assert words(rest) == [("progress", b"\xff"), ("progress", b"c"), ("end", b"succeeded")]
    assert await queue.events(TENANT, task_id, rest[-1].id) == []
    view = await queue.get(TENANT, task_id)
    assert view is not None
    assert view.progress == 3


async def test_portions_lose_nothing(queue: RedisQueue, hands: Hands) -> None:
    await queue.submit(new())
    claim = await taken(queue)
    await queue.progress(claim, [b"%d" % i for i in range(10)])
    await queue.fail(claim, "x", "x", retry=False)
    found: list[TaskEvent] = []
    while part := await queue.events(None, claim.task.id, found[-1].id if found else "", limit=3):
        assert len(part) <= 3
        found += part
    assert words(found) == [*(("progress", b"%d" % i) for i in range(10)), ("end", b"failed")]
    assert [event.id for event in found] == sorted(
        (event.id for event in found), key=lambda one: tuple(map(int, one.split("-")))
    )


async def test_the_end_of_a_silent_task_is_an_event(queue: RedisQueue, hands: Hands) -> None:
    task_id = (await queue.submit(new())).view.id
    await queue.cancel(TENANT, task_id)
    [end] = await queue.events(TENANT, task_id)
    assert (end.kind, end.data) == ("end", b"cancelled")
    assert hands.names("events") == set()


async def test_a_new_try_says_that_what_was_told_is_void(queue: RedisQueue, hands: Hands) -> None:
    await queue.submit(new())
    claim = await taken(queue)
    await queue.progress(claim, [b"half"])
    hands.expire(claim.task.id)
    again = await taken(queue)
    await queue.progress(again, [b"whole"])
    assert words(await queue.events(None, claim.task.id)) == [
        ("progress", b"half"), ("restart", b""), ("progress", b"whole")
    ]  # fmt: skip


async def test_the_oldest_events_go(store: Store, hands: Hands) -> None:
    queue = queue_over(store, max_events=100)
    await queue.submit(new())
    claim = await taken(queue)
    for _ in range(10):
        await queue.progress(claim, [b"x"] * 100)
    kept = await queue.events(None, claim.task.id, limit=2000)
    assert 100 <= len(kept) < 300  # `~`: whole nodes of the stream go


async def test_an_event_has_a_bound(queue: RedisQueue, hands: Hands) -> None:
    await queue.submit(new())
    claim = await taken(queue)
    with pytest.raises(ValueError, match="at most"):
        await queue.progress(claim, [b"x" * (MAX_EVENT_BYTES + 1)])
    assert await queue.progress(claim, [])


@pytest.mark.parametrize("after", ["x", "1", "1-", "-", "+", "1-2-3", "9" * 30 + "-0", "(1-0"])
async def test_an_event_that_is_none(queue: RedisQueue, hands: Hands, after: str) -> None:
    task_id = (await queue.submit(new())).view.id
    with pytest.raises(BadTask):
        await queue.events(TENANT, task_id, after)


@pytest.mark.parametrize("task_id", ["", "task_", "task_" + "0" * 24, "*", "a:b"])
async def test_no_task_no_events(queue: RedisQueue, task_id: str) -> None:
    with pytest.raises(TaskNotFound):
        await queue.events(TENANT, task_id)

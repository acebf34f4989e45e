"""Whose turn it is: priorities, and tenants within one."""

from __future__ import annotations

from collections import Counter

from tasks.task_world import Hands, new

from serve_app.tasks.queue import RedisQueue


async def test_a_tenant_with_many_tasks_does_not_keep_another_waiting(
    queue: RedisQueue, hands: Hands
) -> None:
    await queue.submit_many([new(tenant="many") for _ in range(500)])
    await queue.take("w", 5)
    await queue.submit(new(b"mine", tenant="one"))
    assert b"mine" in [claim.payload for claim in await queue.take("w", 2)]


async def test_tenants_have_turns(queue: RedisQueue, hands: Hands) -> None:
    await queue.submit_many([new(tenant=name) for name in "abc" for _ in range(10)])
    for _ in range(10):
        assert sorted(c.task.tenant for c in await queue.take("w", 3)) == ["a", "b", "c"]


async def test_one_tenants_tasks_go_in_order(queue: RedisQueue, hands: Hands) -> None:
    await queue.submit_many([new(b"%d" % i) for i in range(20)])
    taken = [int(c.payload) for _ in range(4) for c in await queue.take("w", 5)]
    assert taken == list(range(20))


async def test_the_urgent_go_first_and_nobody_waits_for_ever(
    queue: RedisQueue, hands: Hands
) -> None:
    for priority in ("low", "normal", "high"):
        await queue.submit_many([new(priority=priority) for _ in range(16)])
    turns = Counter(claim.task.priority for claim in await queue.take("w", 16))
    assert turns == {"high": 12, "normal": 3, "low": 1}


async def test_batch_work_has_all_turns_that_nobody_else_wants(
    queue: RedisQueue, hands: Hands
) -> None:
    await queue.submit_many([new(priority="low") for _ in range(20)])
    assert len(await queue.take("w", 100)) == 20


async def test_what_a_tenant_was_given_back_goes_in_its_own_turn(
    queue: RedisQueue, hands: Hands
) -> None:
    await queue.submit_many([new(tenant="a") for _ in range(4)])
    claims = await queue.take("w", 4)
    await queue.submit_many([new(tenant="b") for _ in range(4)])
    for claim in claims:
        await queue.release(claim)
    turns = [claim.task.tenant for claim in await queue.take("w", 8)]
    assert turns[:6].count("b") >= 3


async def test_odd_names_of_tenants_are_kept_apart(queue: RedisQueue, hands: Hands) -> None:
    names = ["", "a:b", "a}:{b", "ä" * 30, "*", "low:a", "x\n"]
    await queue.submit_many([new(name.encode(), tenant=name) for name in names])
    claims = await queue.take("w", 100)
    assert {claim.task.tenant: claim.payload.decode() for claim in claims} == {
        name: name for name in names
    }
    for name in names:
        assert [view.tenant for view in (await queue.list(name)).tasks] == [name]

"""What a task goes through, from its submission to the day it is forgotten."""

from __future__ import annotations

import pytest
from tasks.task_world import TENANT, Hands, new, queue_over, taken

from serve_app.store.client import Store
from serve_app.tasks.base import (
    BadTask,
    QueueFull,
    ResultTooLarge,
    TaskConflict,
    TaskNotFound,
    TenantQueueFull,
)
from serve_app.tasks.queue import RedisQueue


async def test_a_task_is_done_once(queue: RedisQueue, hands: Hands) -> None:
    terms = {"user": "ann", "key_id": "k1", "label": "lunch", "priority": "high"}
    submitted = await queue.submit(new(b"\x00work", **terms))
    assert (submitted.is_new, submitted.view.state) == (True, "pending")
    claim = await taken(queue)
    view = claim.task
    assert (claim.payload, view.state, view.attempts, view.worker) == (
        b"\x00work", "running", 1, "w"
    )  # fmt: skip
    assert (view.kind, view.user, view.key_id, view.label, view.priority) == (
        "job", "ann", "k1", "lunch", "high"
    )  # fmt: skip
    assert await queue.take("other", 10) == []
    assert await queue.finish(claim, b"\xffdone")
    assert await queue.finish(claim, b"\xffdone"), "who did not hear the answer may ask again"
    done = await queue.get(TENANT, view.id)
    assert done is not None
    assert (done.state, done.result, done.result_bytes) == ("succeeded", b"\xffdone", 5)
    assert view.created_at <= done.started_at <= done.ended_at
    assert done.expires_at == pytest.approx(done.ended_at + 3600, abs=0.01)
    assert hands.redis.hget(f"serve-app:v1:{{[tasks]}}:task:{view.id}", "payload") is None


async def test_others_do_not_see_a_tenants_task(queue: RedisQueue) -> None:
    task_id = (await queue.submit(new())).view.id
    assert await queue.get("other", task_id) is None
    assert await queue.get_many("other", [task_id]) == [None]
    assert (await queue.list("other")).tasks == ()
    assert not await queue.forget("other", task_id)
    for refused in (queue.cancel, queue.retry, queue.events):
        with pytest.raises(TaskNotFound):
            await refused("other", task_id)
    assert await queue.get(None, task_id) is not None


async def test_a_failed_try_is_repeated_until_there_are_no_more(
    queue: RedisQueue, hands: Hands
) -> None:
    task_id = (await queue.submit(new(max_retries=1))).view.id
    await queue.submit(new(b"later"))
    claim = (await queue.take("w", 1))[0]
    assert await queue.fail(claim, "busy", "all is busy", retry=True) == "delayed"
    assert await queue.fail(claim, "busy", "all is busy", retry=True) == "delayed"
    waiting = await queue.get(TENANT, task_id)
    assert waiting is not None
    assert 0.4 < waiting.not_before - waiting.started_at < 2
    assert (waiting.error_code, waiting.attempts) == ("busy", 1)
    hands.make_due(task_id)
    again = (await queue.take("w", 1))[0]
    assert (again.task.id, again.task.attempts) == (task_id, 2), "before what had no try yet"
    assert await queue.fail(again, "busy", "all is busy", retry=True) == "dead"
    dead = await queue.get(TENANT, task_id)
    assert dead is not None
    assert (dead.state, dead.error_message) == ("dead", "all is busy")
    assert dead.expires_at - dead.ended_at == pytest.approx(7 * 86400, abs=0.01)


async def test_a_final_error_is_not_repeated(queue: RedisQueue) -> None:
    await queue.submit(new())
    claim = await taken(queue)
    assert await queue.fail(claim, "bad_request", "no such model", retry=False) == "failed"
    assert await queue.take("w", 1) == []


@pytest.mark.parametrize(("attempts", "least", "most"), [(1, 0.5, 1), (3, 2, 4), (50, 30, 60)])
async def test_pauses_grow_and_are_not_all_the_same(
    queue: RedisQueue, attempts: int, least: float, most: float
) -> None:
    pauses = {queue._backoff_s(attempts) for _ in range(50)}
    assert len(pauses) > 40
    assert least <= min(pauses) < max(pauses) <= most


async def test_a_dead_task_is_tried_anew(queue: RedisQueue, hands: Hands) -> None:
    task_id = (await queue.submit(new(b"again", max_retries=0))).view.id
    claim = await taken(queue)
    await queue.progress(claim, [b"half"])
    assert await queue.fail(claim, "busy", "busy", retry=True) == "dead"
    view = await queue.retry(TENANT, task_id)
    assert (view.state, view.attempts, view.error_code, view.progress) == ("pending", 0, "", 0)
    assert await queue.finish(claim, b"late") is False
    claim = await taken(queue)
    assert (claim.payload, claim.task.attempts) == (b"again", 1)
    assert await queue.finish(claim, b"done")
    with pytest.raises(TaskConflict, match="succeeded"):
        await queue.retry(TENANT, task_id)


async def test_only_so_many_dead_ones_are_kept(store: Store, hands: Hands) -> None:
    queue = queue_over(store, max_dead=2)
    ids = [(await queue.submit(new(max_retries=0))).view.id for _ in range(3)]
    for _ in ids:
        [claim] = await queue.take("w", 1)
        assert await queue.fail(claim, "busy", "busy", retry=True) == "dead"
    dead = await queue.list(None, "dead")
    assert [view.id for view in dead.tasks] == [ids[2], ids[1]]
    assert await queue.get(TENANT, ids[0]) is None


async def test_a_delayed_start(queue: RedisQueue, hands: Hands) -> None:
    task_id = (await queue.submit(new(delay_s=3600))).view.id
    assert await queue.take("w", 1) == []
    hands.make_due(task_id)
    assert (await queue.sweep()).due == 1
    assert (await taken(queue)).task.id == task_id


async def test_a_worker_that_ends_gives_its_task_back(queue: RedisQueue) -> None:
    first = (await queue.submit(new(max_retries=0))).view.id
    await queue.submit(new())
    [claim] = await queue.take("w", 1)
    assert await queue.release(claim)
    assert await queue.release(claim)
    [again] = await queue.take("other", 1)
    assert (again.task.id, again.task.attempts) == (first, 1)
    assert not await queue.release(claim)
    assert await queue.fail(claim, "late", "late", retry=False) is None


async def test_a_task_that_waits_is_cancelled(queue: RedisQueue, hands: Hands) -> None:
    pending = (await queue.submit(new())).view.id
    delayed = (await queue.submit(new(delay_s=60))).view.id
    for task_id in (pending, delayed):
        assert (await queue.cancel(TENANT, task_id)).state == "cancelled"
    assert await queue.take("w", 2) == []
    assert hands.names("line") == set()


async def test_a_task_that_runs_is_cancelled_and_its_worker_learns_of_it(
    queue: RedisQueue,
) -> None:
    await queue.submit(new())
    claim = await taken(queue)
    assert await queue.renew("w", [claim]) == set()
    assert (await queue.cancel(None, claim.task.id)).state == "cancelled"
    assert await queue.renew("w", [claim]) == {claim.task.id}
    assert not await queue.progress(claim, [b"more"])
    assert not await queue.finish(claim, b"done")
    assert await queue.fail(claim, "x", "x", retry=True) is None
    assert (await queue.cancel(None, claim.task.id)).state == "cancelled"


async def test_cancelling_leaves_an_end_as_it_is(queue: RedisQueue) -> None:
    await queue.submit(new())
    claim = await taken(queue)
    await queue.finish(claim, b"done")
    assert (await queue.cancel(TENANT, claim.task.id)).state == "succeeded"


async def test_what_is_kept_long_enough_is_forgotten(queue: RedisQueue, hands: Hands) -> None:
    await queue.submit(new(idempotency_key="k", idempotency_digest="d"))
    claim = await taken(queue)
    await queue.progress(claim, [b"half"])
    await queue.finish(claim, b"done")
    hands.outlive(claim.task.id)
    assert await queue.get(TENANT, claim.task.id) is None
    assert (await queue.list(TENANT)).tasks == ()
    assert (await queue.sweep()).forgotten == 1
    assert hands.names("task") == hands.names("events") == hands.names("idem") == set()
    assert (await queue.backlog()).bytes == 0


async def test_where_nobody_works_old_tasks_still_make_room(
    queue: RedisQueue, hands: Hands
) -> None:
    task_id = (await queue.submit(new())).view.id
    await queue.cancel(TENANT, task_id)
    hands.outlive(task_id)
    await queue.submit(new())
    assert task_id not in hands.names("task")


@pytest.mark.parametrize("stage", ["pending", "delayed", "running", "ended"])
async def test_a_task_is_forgotten_at_any_time(queue: RedisQueue, hands: Hands, stage: str) -> None:
    delay_s = 60 if stage == "delayed" else 0
    task_id = (await queue.submit(new(delay_s=delay_s))).view.id
    if stage in ("running", "ended"):
        claim = await taken(queue)
        if stage == "ended":
            await queue.finish(claim, b"done")
    assert await queue.forget(TENANT, task_id)
    assert not await queue.forget(TENANT, task_id)
    assert hands.names("task") == hands.names("state") == hands.names("of") == set()


async def test_the_queue_has_bounds(store: Store, hands: Hands) -> None:
    queue = queue_over(store, max_queued=3, max_queued_per_tenant=2, max_bytes=100)
    await queue.submit_many([new(), new(delay_s=9)])
    with pytest.raises(TenantQueueFull) as tenant_full:
        await queue.submit(new())
    assert (tenant_full.value.status, tenant_full.value.retry_after_s) == (429, 10)
    with pytest.raises(QueueFull, match="bytes"):
        await queue.submit(new(b"x" * 93, tenant="other"))
    await queue.submit(new(tenant="other"))
    with pytest.raises(QueueFull) as full:
        await queue.submit(new(tenant="third"))
    assert (full.value.status, full.value.retry_after_s) == (503, 10)
    await queue.finish((await queue.take("w", 1))[0], b"")
    await queue.submit(new(tenant="third"))


async def test_of_many_those_before_the_refused_one_are_in(store: Store, hands: Hands) -> None:
    queue = queue_over(store, max_queued=60)
    with pytest.raises(QueueFull):
        await queue.submit_many([new(b"%d" % i) for i in range(130)])
    assert (await queue.backlog()).waiting == 60
    assert [c.payload for c in await queue.take("w", 3)] == [b"0", b"1", b"2"]


async def test_sizes_have_bounds(store: Store, hands: Hands) -> None:
    queue = queue_over(store, max_payload_bytes=10, max_result_bytes=10)
    with pytest.raises(BadTask) as too_large:
        await queue.submit(new(b"x" * 11))
    assert too_large.value.code == "task_too_large"
    await queue.submit(new(b"x" * 10))
    claim = await taken(queue)
    with pytest.raises(ResultTooLarge):
        await queue.finish(claim, b"x" * 11)
    assert await queue.finish(claim, b"x" * 10)


@pytest.mark.parametrize(
    ("terms", "param"),
    [
        ({"soft_limit_s": 3601}, "soft_limit_s"),
        ({"soft_limit_s": 0}, "soft_limit_s"),
        ({"soft_limit_s": float("nan")}, "soft_limit_s"),
        ({"delay_s": -1}, "delay_s"),
        ({"delay_s": 1e9}, "delay_s"),
        ({"max_retries": 101}, "max_retries"),
        ({"result_ttl_s": 0}, "result_ttl_s"),
        ({"priority": "urgent"}, "priority"),
        ({"task_id": "task_x"}, "task_id"),
        ({"task_id": "task_" + "0" * 24 + "\n"}, "task_id"),
        ({"label": "x" * 257}, "label"),
        ({"idempotency_key": "x" * 257}, "idempotency_key"),
    ],
)
async def test_terms_out_of_bounds_name_the_field(
    queue: RedisQueue, terms: dict[str, object], param: str
) -> None:
    with pytest.raises(BadTask) as bad:
        await queue.submit(new(**terms))
    assert bad.value.param == param
    assert (await queue.list(None)).tasks == ()


async def test_no_tasks_are_taken_in_while_they_are_off(store: Store, hands: Hands) -> None:
    with pytest.raises(QueueFull) as off:
        await queue_over(store, enabled=False).submit(new())
    assert off.value.code == "tasks_disabled"


async def test_the_end_is_followed_by_a_webhook(queue: RedisQueue, hands: Hands) -> None:
    task_id = (await queue.submit(new(webhook="https://example.com/x", max_retries=0))).view.id
    claim = await taken(queue)
    await queue.finish(claim, b"done")
    hook = await taken(queue)
    assert (hook.task.kind, hook.payload, hook.task.tenant) == (
        "webhook", task_id.encode(), TENANT
    )  # fmt: skip
    assert hook.task.max_retries == 8
    assert await queue.finish(hook, b"")
    assert await queue.take("w", 9) == []


@pytest.mark.parametrize("way", ["cancelled", "lost", "failed", "dead"])
async def test_every_end_is_followed_by_its_webhook(
    queue: RedisQueue, hands: Hands, way: str
) -> None:
    task_id = (await queue.submit(new(webhook="https://example.com/x", max_retries=0))).view.id
    claim = await taken(queue)
    if way == "cancelled":
        await queue.cancel(TENANT, task_id)
    elif way == "lost":
        hands.expire(task_id)
        assert (await queue.sweep()).dead == 1
    else:
        assert await queue.fail(claim, "x", "x", retry=way == "dead") == way
    hook = await taken(queue)
    assert (hook.task.kind, hook.payload) == ("webhook", task_id.encode())
    if way in ("failed", "dead"):
        await queue.retry(TENANT, task_id)
        await queue.finish(await taken(queue), b"done")
        second = await taken(queue)
        assert (second.task.id != hook.task.id, second.payload) == (True, task_id.encode())


async def test_submissions_wake_who_waits_for_them(store: Store, hands: Hands) -> None:
    woken: list[int] = []
    queue = queue_over(store)
    queue._on_submitted = lambda: woken.append(1)
    task_id = "task_" + "a" * 24
    await queue.submit(new(task_id=task_id))
    assert len(woken) == 1
    await queue.submit(new(task_id=task_id))
    await queue.submit(new(delay_s=60))
    assert len(woken) == 1

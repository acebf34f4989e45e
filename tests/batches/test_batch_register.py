"""The state of batches: each change is made once, from where it may be made."""

from __future__ import annotations

import asyncio

import pytest

from serve_app.batches.openlist import Open, OpenList
from serve_app.batches.register import Register
from serve_app.config.batch_policy import BatchesPolicy
from serve_app.core.batch import Batch, BatchQuery, LineError, Shard, ShardDone, Tally, Terms
from serve_app.core.clock import FakeClock
from serve_app.core.errors import NotFound, RateLimited
from serve_app.store.client import Store

PLAN = [Shard(0, 10, 1, 2), Shard(10, 30, 3, 2)]


def terms(number: int = 1, tenant: str = "acme") -> Terms:
    return Terms(
        id=f"batch_{number:04d}",
        tenant=tenant,
        input_file_id="file-1",
        endpoint="/v1/embeddings",
        window="24h",
        created_at=1000,
        expires_at=87_400,
        metadata={"a": "b"},
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000.0)


@pytest.fixture
def register(store: Store, clock: FakeClock) -> Register:
    return Register(store, BatchesPolicy(max_open=3), clock)


async def begun(register: Register) -> Batch:
    batch = await register.enter(terms())
    await register.begin(batch, PLAN, "m")
    return await register.get("acme", batch.id)


async def test_a_new_batch_is_validating(register: Register) -> None:
    batch = await register.enter(terms())
    assert await register.get("acme", batch.id) == Batch(terms(), "validating")
    assert await register.plan("acme", batch.id) == []
    with pytest.raises(NotFound):
        await register.get("other", batch.id)


async def test_a_batch_that_begins_has_its_plan_and_counts(register: Register) -> None:
    batch = await begun(register)
    assert (batch.status, batch.total, batch.shards, batch.done) == ("in_progress", 4, 2, 0)
    assert (batch.model, batch.times) == ("m", {"in_progress": 1000})
    assert await register.plan("acme", batch.id) == PLAN


async def test_changes_are_made_only_from_where_they_may_be(
    register: Register, clock: FakeClock
) -> None:
    batch = await begun(register)
    clock.advance(5)
    assert await register.move(batch, ("validating", "in_progress"), "cancelling") == "in_progress"
    assert await register.move(batch, ("in_progress",), "finalizing") == "cancelling"
    assert await register.begin(batch, [], "other") == "cancelling"
    await register.move(batch, ("cancelling",), "cancelled", output_file_id="file-2")
    found = await register.get("acme", batch.id)
    assert (found.status, found.output_file_id, found.shards) == ("cancelled", "file-2", 2)
    assert found.times == {"in_progress": 1000, "cancelling": 1005, "cancelled": 1005}


async def test_the_first_attempt_at_a_shard_counts_and_no_other(register: Register) -> None:
    batch = await begun(register)
    first = ShardDone("a-output", "", Tally(completed=2, input_tokens=5))
    second = ShardDone("b-output", "b-errors", Tally(completed=1, failed=1, input_tokens=7))
    results = await asyncio.gather(
        *(register.shard_done("acme", batch.id, 1, one) for one in (first, second, first))
    )
    assert results == [(1, 2)] * 3
    [none, done] = await register.shards("acme", batch.id, range(2))
    assert none is None
    assert done is not None
    found = await register.get("acme", batch.id)
    assert found.done == 1
    assert found.tally == done.tally
    assert await register.shard_done("acme", batch.id, 0, first) == (2, 2)
    assert await register.shard_done("acme", "batch_none", 0, first) is None


async def test_a_batch_that_failed_says_why(register: Register) -> None:
    batch = await register.enter(terms())
    errors = [LineError("duplicate_custom_id", "It is.", 7, "custom_id")]
    await register.fail(batch, errors)
    found = await register.get("acme", batch.id)
    assert (found.status, found.errors) == ("failed", tuple(errors))
    assert found.is_over


async def test_there_are_so_many_open_batches_of_a_tenant(register: Register) -> None:
    for number in (1, 2, 3):
        await register.enter(terms(number))
    await register.enter(terms(3))  # said again
    with pytest.raises(RateLimited):
        await register.enter(terms(4))
    await register.enter(terms(4, "other"))
    await register.fail(await register.get("acme", "batch_0002"), [])
    await register.enter(terms(4))


async def test_pages_go_on_and_leave_out_what_is_forgotten(
    register: Register, store: Store
) -> None:
    for number in range(1, 4):
        await register.enter(terms(number))
    first = await register.page("acme", BatchQuery(limit=2))
    assert ([batch.id for batch in first.batches], first.has_more) == (
        ["batch_0003", "batch_0002"],
        True,
    )
    rest = await register.page("acme", BatchQuery(after="batch_0002", limit=2))
    assert ([batch.id for batch in rest.batches], rest.has_more) == (["batch_0001"], False)
    await store.delete("serve-app:v1:{acme}:batch:batch_0003")
    page = await register.page("acme", BatchQuery(limit=2))
    assert ([batch.id for batch in page.batches], page.has_more) == (
        ["batch_0002", "batch_0001"],
        False,
    )
    assert (await register.page("acme", BatchQuery(limit=2))) == page


async def test_open_batches_come_up_when_their_time_has_come(store: Store) -> None:
    found = OpenList(store)
    a, b = Open("acme", "batch_a"), Open("b:{x}", "batch_b")
    await found.put(a, 10.0)
    await found.put(b, 5.0)
    assert await found.before(4.0, 9) == []
    assert await found.before(10.0, 9) == [b, a]
    await found.put(b, 20.0)
    assert await found.before(10.0, 9) == [a]
    await found.take_off(a)
    assert await found.before(10.0, 9) == []


async def test_batches_of_all_tenants_are_listed_newest_first(store: Store) -> None:
    found = OpenList(store)
    first, second, third = Open("a", "batch_1"), Open("b|:{x}", "batch_2"), Open("a", "batch_3")
    for one in (second, third, first, second):  # looked after twice, listed once
        await found.put(one, 10.0)
    await found.take_off(third)  # over, and still listed
    assert await found.listed("", 9) == [third, second, first]
    assert await found.listed("batch_3", 1) == [second]
    assert await found.listed("batch_1", 9) == []
    await found.unlist([second])
    assert await found.listed("", 9) == [third, first]

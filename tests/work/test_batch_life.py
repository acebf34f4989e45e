"""The tasks of a batch, done twice, late, in any order, or not at all: one batch comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from work.batch_world import TENANT, BatchWorld, good, input_of

from serve_app.config.policy import TasksPolicy
from serve_app.core.batch import LineError, Shard
from serve_app.core.errors import GatewayError, Overloaded
from serve_app.core.job import Job, Outcome
from serve_app.store.client import Store
from serve_app.tasks.base import Claim
from serve_app.work.batch_keeper import GIVEN_UP_S, LOOK_AGAIN_S
from serve_app.work.batch_tasks import END, SHARD, START, WINDOW, task_of


@pytest.fixture
async def world(store: Store, tmp_path: Path) -> AsyncIterator[BatchWorld]:
    world = BatchWorld(store, tmp_path, shard_requests=3, parallel=2)
    yield world
    world.files.close()


def of_kind(claims: list[Claim], kind: str) -> list[Claim]:
    return [claim for claim in claims if claim.task.kind == kind]


async def test_a_batch_goes_from_start_to_end(world: BatchWorld) -> None:
    batch = await world.create(input_of(8))
    await world.do_all()
    found = await world.now(batch)
    assert (found.status, found.total, found.tally.completed) == ("completed", 8, 8)
    assert (found.tally.input_tokens, found.tally.output_tokens) == (24, 16)
    lines = await world.content(found.output_file_id)
    assert [one["response"]["body"]["said"] for one in lines] == list(range(8))
    jobs = {job.once: job for job in world.answers.jobs}
    assert sorted(jobs) == sorted(f"{batch.id}:{n}" for n in range(1, 9))
    job = jobs[f"{batch.id}:1"]
    assert (job.tenant, job.key, job.priority) == (TENANT, "0" * 64, "batch")
    assert len(world.on_disk()) == 2  # the input and the output: no part is left


async def test_every_task_may_be_done_again_at_any_time(world: BatchWorld) -> None:
    batch = await world.create(input_of(7))
    done: list[Claim] = []
    while claims := await world.claims(1):
        await world.do(claims[0])
        done += claims
        for claim in done:
            kind = claim.task.kind
            if kind == START:
                await world.start.run(claim.payload)
            elif kind == SHARD:
                await world.shard.run(claim.payload, 60)
            else:
                await world.end.run(claim.payload)
    found = await world.now(batch)
    assert (found.status, found.tally.completed, found.done) == ("completed", 7, 3)
    assert len(await world.content(found.output_file_id)) == 7
    assert len(world.answers.jobs) == 7


async def test_two_workers_at_one_shard_make_one_output(world: BatchWorld) -> None:
    batch = await world.create(input_of(3))
    [start] = await world.claims()
    await world.do(start)
    [shard] = of_kind(await world.claims(), SHARD)
    both, at = asyncio.Event(), 0

    async def answer(job: Job) -> Outcome:
        nonlocal at
        at += 1
        if at == 4:
            both.set()
        await both.wait()
        return await good(job)

    world.answers.answer = answer
    await asyncio.gather(
        world.shard_worker().run(shard.payload, 60), world.shard_worker().run(shard.payload, 60)
    )
    await world.do_all()
    found = await world.now(batch)
    assert (found.status, found.tally.completed, found.total) == ("completed", 3, 3)
    assert len(await world.content(found.output_file_id)) == 3


async def test_an_attempt_whose_time_is_over_hands_on_what_it_has(world: BatchWorld) -> None:
    batch = await world.create(input_of(3))
    [start] = await world.claims()
    await world.do(start)
    [shard] = await world.claims()

    async def answer(job: Job) -> Outcome:
        if job.once.endswith(":3"):
            await asyncio.Event().wait()
        return await good(job)

    world.answers.answer = answer
    with pytest.raises(Overloaded) as paused:
        await world.shard.run(shard.payload, 0.5)
    assert paused.value.retryable
    assert (await world.now(batch)).done == 0
    world.answers.answer = good
    await world.shard.run(shard.payload, 60)
    asked = [job.once.rpartition(":")[2] for job in world.answers.jobs]
    assert sorted(asked) == ["1", "2", "3", "3"]
    await world.do_all()
    assert (await world.now(batch)).tally.completed == 3


async def test_a_bad_file_fails_and_asks_nobody(world: BatchWorld) -> None:
    for content, code in (
        (b"", "empty_file"),
        (b"\n \n", "empty_file"),
        (b"no\n" * 500, "invalid_json_line"),
        (input_of(1) * 2, "duplicate_custom_id"),
        (b'{"custom_id": "' + b"x" * 11_000 + b'"}\n', "line_too_long"),
    ):
        batch = await world.create(content)
        await world.do_all()
        found = await world.now(batch)
        assert found.status == "failed"
        assert found.errors[0].code == code
        assert len(found.errors) <= 100
    assert world.answers.jobs == []
    assert await world.open_list.before(world.clock.wall() + 1e9, 10) == []


async def test_a_file_with_too_many_requests_fails(store: Store, tmp_path: Path) -> None:
    world = BatchWorld(store, tmp_path, max_requests=5)
    batch = await world.create(input_of(6))
    await world.do_all()
    assert (await world.now(batch)).errors == (
        LineError("too_many_requests", "A batch has at most 5 requests, and texts to embed.", 6),
    )
    world.files.close()


async def test_an_input_that_is_deleted_meanwhile_fails_the_batch(world: BatchWorld) -> None:
    batch = await world.create(input_of(8))
    [start] = await world.claims()
    await world.do(start)
    await world.files.delete(TENANT, batch.terms.input_file_id)
    await world.do_all()
    found = await world.now(batch)
    assert found.status == "failed"
    assert found.errors[0].code == "input_file_missing"


async def test_what_is_not_done_in_time_is_expired_and_the_rest_delivered(
    world: BatchWorld,
) -> None:
    batch = await world.create(input_of(8))
    [start] = await world.claims()
    await world.do(start)
    first, *others = await world.claims()
    await world.do(first)
    world.clock.advance(86_400)
    for claim in others:
        await world.do(claim)
    await world.do_all()
    found = await world.now(batch)
    assert (found.status, found.tally.completed, found.tally.failed) == ("expired", 3, 5)
    assert len(await world.content(found.output_file_id)) == 3
    errors = await world.content(found.error_file_id)
    assert {one["error"]["code"] for one in errors} == {"batch_expired"}
    assert {one["response"] for one in errors} == {None}


async def test_a_batch_cancelled_before_it_began_is_cancelled(world: BatchWorld) -> None:
    batch = await world.create(input_of(8))
    assert (await world.desk.cancel(TENANT, batch.id)).status == "cancelling"
    await world.do_all()
    found = await world.now(batch)
    assert (found.status, found.total) == ("cancelled", 0)
    assert world.answers.jobs == []


async def test_a_large_batch_has_few_tasks_in_the_queue_at_once(world: BatchWorld) -> None:
    batch = await world.create(input_of(3 * (WINDOW + 5)))
    [start] = await world.claims()
    await world.do(start)
    assert (await world.queue.backlog()).waiting == WINDOW
    while claims := await world.claims(1):
        await world.do(claims[0])
        assert (await world.queue.backlog()).waiting <= WINDOW
    assert (await world.now(batch)).tally.completed == 3 * (WINDOW + 5)


# ------------------------------------------------------------ what got lost


async def lose_all(world: BatchWorld) -> None:
    """Every task is gone, as if nobody had submitted it."""
    for claim in await world.claims():
        await world.queue.forget(None, claim.task.id)


async def test_the_keeper_makes_up_for_every_task_that_got_lost(world: BatchWorld) -> None:
    batch = await world.create(input_of(8))
    rounds = 0
    while not (await world.now(batch)).is_over:
        await lose_all(world)
        world.clock.advance(LOOK_AGAIN_S + 1)
        assert await world.keeper.look() == 1
        [one, *_] = await world.claims(1)
        await world.do(one)
        rounds += 1
        assert rounds < 20
    assert (await world.now(batch)).status == "completed"
    world.clock.advance(LOOK_AGAIN_S + 1)
    await world.keeper.look()
    assert await world.keeper.look() == 0


async def test_the_keeper_brings_dead_tasks_back(world: BatchWorld) -> None:
    batch = await world.create(input_of(2))
    [start] = await world.claims()
    await world.do(start)
    [shard] = await world.claims()
    await world.queue.fail(shard, "x", "y", retry=False)
    assert await world.claims() == []
    world.clock.advance(LOOK_AGAIN_S + 1)
    await world.keeper.look()
    await world.do_all()
    assert (await world.now(batch)).status == "completed"


async def test_a_batch_that_cannot_be_ended_is_given_up(world: BatchWorld) -> None:
    batch = await world.create(input_of(2))
    world.clock.advance(86_400 + GIVEN_UP_S + 2)
    await world.keeper.look()
    found = await world.now(batch)
    assert (found.status, found.errors[0].code) == ("failed", "batch_given_up")


async def test_a_queue_that_is_full_says_so_and_keeps_no_batch(world: BatchWorld) -> None:
    world.queue.reconfigure(TasksPolicy(enabled=False))
    with pytest.raises(GatewayError) as refused:
        await world.create(input_of(2))
    assert refused.value.code == "tasks_disabled"
    world.queue.reconfigure(TasksPolicy())
    world.clock.advance(LOOK_AGAIN_S + 1)
    await world.keeper.look()
    assert await world.claims() == []


async def test_tasks_say_what_they_are_about(world: BatchWorld) -> None:
    batch = await world.create(input_of(4))
    [start] = await world.claims()
    await world.do(start)
    first, second = await world.claims()
    assert first.task.label == f"{batch.id} shard 0"
    assert (first.task.user, first.task.key_id, first.task.priority) == ("ann", "k", "low")
    assert task_of(second.payload).shard == Shard(len(input_of(3)), len(input_of(4)), 4, 1)
    await world.do(first)
    await world.do(second)
    [end] = await world.claims()
    assert end.task.kind == END

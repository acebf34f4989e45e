"""A second candidate for a first token that is late."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from backend_calls import collect
from backend_peers import Act, Peer, Stage, broke, candidate, chunk, fails, hangs, says, text_of

from serve_app.backends.base import AttemptFailed
from serve_app.backends.hedge import MAX_SAVED, HedgeShare
from serve_app.core.errors import BadRequest, UpstreamFailed

HEDGE = {"hedge": {"enabled": True, "min_samples": 5, "max_share": 1.0}}
LATE_S = 0.02

FAST = says(["fast"])


def hedged(a: Act, b: Act, *more: Act) -> tuple[Stage, list[Peer]]:
    """A stage on which candidate `a` is known to speak within `LATE_S`."""
    peers = [Peer(name, act) for name, act in zip("abc", (a, b, *more), strict=False)]
    stage = Stage(*peers)
    learn(stage)
    return stage, peers


def learn(stage: Stage, name: str = "a") -> None:
    for _ in range(20):
        stage.vitals.of(name, f"m-{name}").first_token(LATE_S)


def slow(text: str, gate: asyncio.Event) -> Act:
    async def act(call: Any) -> Any:
        await gate.wait()
        yield [chunk({"content": text})]
        yield [chunk({}, "stop")]

    return act


async def test_the_first_to_speak_wins_and_the_other_is_cancelled() -> None:
    stage, (first, second) = hedged(hangs(), FAST)
    before = asyncio.all_tasks()
    chunks, answer = await stage.drain(candidate("a"), candidate("b"), rules=HEDGE)
    assert (text_of(chunks), answer.candidate.backend, answer.attempts) == ("fast", "b", 2)
    assert (first.running, second.running, stage.running()) == (0, 0, 0)
    assert stage.outcomes() == ["hedged", "hedge_lost", "answered"]
    assert asyncio.all_tasks() == before
    assert stage.vitals.of("a", "m-a").reading().error_rate == 0.0  # it was late, not broken


async def test_one_that_is_late_may_still_win() -> None:
    gate = asyncio.Event()
    stage, (_, second) = hedged(slow("slow", gate), hangs())
    task = asyncio.create_task(stage.drain(candidate("a"), candidate("b"), rules=HEDGE))
    while not second.running:
        await asyncio.sleep(0)
    gate.set()
    chunks, answer = await task
    assert (text_of(chunks), answer.candidate.backend) == ("slow", "a")
    assert (second.running, stage.running()) == (0, 0)
    assert stage.outcomes() == ["hedged", "hedge_lost", "answered"]


async def test_one_that_is_in_time_is_not_hedged() -> None:
    stage, (_, second) = hedged(FAST, FAST)
    _, answer = await stage.drain(candidate("a"), candidate("b"), rules=HEDGE)
    assert answer.candidate.backend == "a"
    assert second.calls == []
    assert stage.outcomes() == ["answered"]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"rules": {"hedge": {"enabled": True, "min_samples": 30, "max_share": 1.0}}},
        {"rules": {"hedge": {"enabled": True, "min_samples": 5, "max_share": 0.9}}},
        {"rules": HEDGE, "stream": False},
    ],
    ids=["off", "too few samples", "the share is spent", "no stream"],
)
async def test_nothing_is_hedged_that_should_not_be(how: dict[str, Any]) -> None:
    gate = asyncio.Event()
    stage, (first, second) = hedged(slow("slow", gate), FAST)
    task = asyncio.create_task(stage.drain(candidate("a"), candidate("b"), **how))
    while not first.running:
        await asyncio.sleep(0)
    await asyncio.sleep(3 * LATE_S)
    gate.set()
    _, answer = await task
    assert (answer.candidate.backend, second.calls) == ("a", [])


async def test_the_second_is_the_next_that_may_be_asked() -> None:
    stage, (_, second, third) = hedged(hangs(), FAST, FAST)
    stage.vitals.of("b", "m-b").breaker.rest(60)
    _, answer = await stage.drain(
        candidate("a"), candidate("b"), candidate("c"), rules=HEDGE
    )  # fmt: skip
    assert (answer.candidate.backend, second.calls, len(third.calls)) == ("c", [], 1)


async def test_without_a_second_the_first_is_waited_for() -> None:
    gate = asyncio.Event()
    stage, (first, _) = hedged(slow("slow", gate), FAST)
    task = asyncio.create_task(stage.drain(candidate("a"), rules=HEDGE))
    while not first.running:
        await asyncio.sleep(0)
    await asyncio.sleep(2 * LATE_S)
    gate.set()
    chunks, _ = await task
    assert text_of(chunks) == "slow"


async def test_when_both_fail_the_plan_goes_on() -> None:
    gate = asyncio.Event()

    async def late_failure(call: Any) -> Any:
        await gate.wait()
        raise broke()
        yield []

    def early_failure(call: Any) -> Any:
        gate.set()
        return fails(AttemptFailed("candidate", "no such model", status=403))(call)

    stage, (first, second, third) = hedged(late_failure, early_failure, FAST)
    _, answer = await stage.drain(candidate("a"), candidate("b"), candidate("c"), rules=HEDGE)
    assert answer.candidate.backend == "c"
    assert [len(peer.calls) for peer in (first, second, third)] == [1, 1, 1]
    assert sorted(stage.outcomes()) == ["answered", "candidate", "hedged", "transient"]
    assert stage.running() == 0


async def test_a_hedge_that_fails_leaves_the_first_to_answer() -> None:
    gate = asyncio.Event()

    def refuses(call: Any) -> Any:
        gate.set()
        return fails(AttemptFailed("candidate", "no such model", status=403))(call)

    stage, _ = hedged(slow("slow", gate), refuses)
    chunks, answer = await stage.drain(candidate("a"), candidate("b"), rules=HEDGE)
    assert (text_of(chunks), answer.candidate.backend) == ("slow", "a")


async def test_a_wrong_request_goes_straight_back() -> None:
    stage, (first, _) = hedged(hangs(), fails(AttemptFailed("caller", "top_p", status=400)))
    with pytest.raises(BadRequest):
        await stage.start(candidate("a"), candidate("b"), rules=HEDGE)
    assert (first.running, stage.running()) == (0, 0)


async def test_a_failure_in_time_is_tried_again_as_ever() -> None:
    peer = Peer("a", fails(broke()), FAST)
    stage = Stage(peer)
    learn(stage)
    _, answer = await stage.drain(candidate("a"), rules=HEDGE)
    assert (answer.attempts, len(stage.pauses)) == (2, 1)


async def test_a_caller_that_leaves_stops_both() -> None:
    stage, (first, second) = hedged(hangs(), hangs())
    before = asyncio.all_tasks()
    task = asyncio.create_task(stage.start(candidate("a"), candidate("b"), rules=HEDGE))
    while not second.running:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (first.running, second.running, stage.running()) == (0, 0, 0)
    assert stage.outcomes() == ["hedged", "cancelled", "cancelled"]
    assert asyncio.all_tasks() == before


async def test_an_answer_that_lost_to_nobody_can_be_recovered() -> None:
    stage, _ = hedged(hangs(), says(["One, "], broke()), says(["two"]))
    plan = candidate("a"), candidate("b"), candidate("c", prefix=True)
    chunks, _ = await stage.drain(*plan, rules=HEDGE)
    assert text_of(chunks) == "One, two"


async def test_hedges_stay_a_share_of_the_requests() -> None:
    peers = Peer("a", hangs()), Peer("b", FAST)
    stage = Stage(*peers)
    learn(stage)
    rules = {"hedge": {"enabled": True, "min_samples": 5, "max_share": 0.25}}
    answered = 0
    for _ in range(20):
        task = asyncio.create_task(
            stage.start(candidate("a"), candidate("b"), rules=rules, within_s=100)
        )
        done, _ = await asyncio.wait([task], timeout=20 * LATE_S)
        answered += len(done)
        task.cancel()
        for answer in await asyncio.gather(task, return_exceptions=True):
            if not isinstance(answer, BaseException):
                await collect(answer.chunks)
    assert answered == 5


def test_a_quiet_time_saves_up_only_so_much() -> None:
    share = HedgeShare()
    for _ in range(1000):
        share.deposit(0.5)
    made = 0
    while not share.is_spent:
        share.withdraw()
        made += 1
    assert made == MAX_SAVED


async def test_a_late_one_alone_in_its_plan_fails_as_ever() -> None:
    stage, _ = hedged(fails(broke()), FAST)
    with pytest.raises(UpstreamFailed):
        await stage.start(candidate("a"), rules=HEDGE | {"retries": 0})

"""What every attempt leaves behind: its vitals settled once, its call closed, no task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from random import Random

import pytest
from backend_calls import collect
from backend_peers import (
    Act,
    Peer,
    Stage,
    broke,
    candidate,
    chunk,
    fails,
    hangs,
    says,
    sends,
    silence,
    usage,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.backends.base import AttemptFailed, Call
from serve_app.core.errors import GatewayError
from serve_app.core.types import Chunk
from serve_app.core.vital import Headroom
from serve_app.vitals.breaker import FAILURES

WELL = says(["Yes", ", ", "indeed"])


# ------------------------------------------------------------------ what is measured


async def test_a_stream_tells_its_first_token_and_its_speed() -> None:
    stage = Stage(peer := Peer("a", WELL))

    async def slow(call: Call) -> AsyncGenerator[list[Chunk], None]:
        stage.clock.advance(0.5)
        yield [chunk({"content": "Yes"})]
        stage.clock.advance(2.0)
        yield [chunk({}, "stop"), usage(5, 40)]

    peer.play(slow)
    await stage.drain(candidate("a"))
    reading = stage.vitals.of("a", "m-a").reading()
    assert reading.first_token_p50_s == pytest.approx(0.5, rel=0.1)
    assert reading.tokens_per_s == pytest.approx(20.0, rel=0.1)
    assert (reading.samples, reading.error_rate, reading.running) == (1, 0.0, 0)


async def test_a_call_under_way_is_counted() -> None:
    stage = Stage(Peer("a", WELL))
    answer = await stage.start(candidate("a"))
    assert stage.running() == 1
    await collect(answer.chunks)
    assert stage.running() == 0
    await answer.chunks.aclose()
    assert stage.running() == 0


async def test_an_answer_that_was_closed_has_ended_only_once() -> None:
    stage = Stage(Peer("a", WELL))
    answer = await stage.start(candidate("a"))
    await answer.chunks.aclose()
    assert await collect(answer.chunks) == []
    await answer.chunks.aclose()
    assert stage.running() == 0
    assert stage.vitals.of("a", "m-a").reading().samples == 1


@pytest.mark.parametrize(
    ("failed", "rate"),
    [
        (broke(), 1.0),
        (silence(), 1.0),
        (AttemptFailed("candidate", "no such model", status=403), 1.0),
        (AttemptFailed("caller", "no", status=400), 0.0),
        (AttemptFailed("content", "no", status=400), 0.0),
    ],
)
async def test_only_what_a_backend_can_help_counts_against_it(
    failed: AttemptFailed, rate: float
) -> None:
    stage = Stage(Peer("a", fails(failed)))
    for _ in range(FAILURES):
        with pytest.raises(GatewayError):
            await stage.start(candidate("a"), rules={"retries": 0})
    vital = stage.vitals.of("a", "m-a")
    assert vital.reading().error_rate == pytest.approx(rate)
    assert vital.breaker.is_open == (rate > 0)


async def test_the_rate_limits_are_read_after_an_answer_and_after_a_failure() -> None:
    peer = Peer("a", WELL, fails(broke()))
    stage = Stage(peer)
    vital = stage.vitals.of("a", "m-a")
    peer.left = Headroom(requests_left=3, resets_in_s=9.0)
    await stage.drain(candidate("a"))
    assert vital.headroom is not None
    assert vital.headroom.requests_left == 3
    peer.left = Headroom(requests_left=0, resets_in_s=9.0)
    with pytest.raises(GatewayError):
        await stage.start(candidate("a"), rules={"retries": 0})
    assert vital.headroom.requests_left == 0


async def test_a_last_stream_of_before_does_not_close_a_breaker() -> None:
    peer = Peer("a", WELL)
    stage = Stage(peer)
    answer = await stage.start(candidate("a"))
    stage.clock.advance(1.0)
    breaker = stage.vitals.of("a", "m-a").breaker
    breaker.rest(10.0)
    await collect(answer.chunks)
    assert breaker.is_open


# ------------------------------------------------------------------ leaving


async def test_a_backend_that_does_not_let_go_is_not_waited_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def clings(call: Call) -> AsyncGenerator[list[Chunk], None]:
        try:
            yield [chunk({"content": "Yes"})]
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()

    monkeypatch.setattr("serve_app.backends.attempt.CLOSE_S", 0.05)
    stage = Stage(Peer("a", clings))
    answer = await stage.start(candidate("a"))
    await answer.chunks.aclose()
    assert stage.running() == 0
    assert "does not let go of a call" in caplog.text


ACTS: dict[str, Act] = {
    "well": WELL,
    "hangs": hangs(),
    "hangs later": hangs([chunk({"content": "Yes"})]),
    "breaks": fails(broke()),
    "breaks later": says(["Yes"], broke()),
    "is silent": fails(silence()),
    "refuses": fails(AttemptFailed("candidate", "no", status=403)),
    "says nothing": sends([chunk({"role": "assistant"})]),
    "departs": says(["No"]),
}


@settings(max_examples=200, deadline=None)
@given(
    acts=st.lists(st.lists(st.sampled_from(sorted(ACTS)), min_size=1, max_size=3), min_size=1,
                  max_size=4),
    turns=st.integers(0, 40),
    hedged=st.booleans(),
)  # fmt: skip
def test_whenever_a_caller_leaves_nothing_stays_behind(
    acts: list[list[str]], turns: int, hedged: bool
) -> None:
    asyncio.run(_leave_after(acts, turns, hedged))


async def _leave_after(acts: list[list[str]], turns: int, hedged: bool) -> None:
    peers = [Peer(f"p{n}", *[ACTS[act] for act in some]) for n, some in enumerate(acts)]
    stage = Stage(*peers)
    plan = [candidate(peer.name, prefix=bool(n % 2)) for n, peer in enumerate(peers)]
    rules = {"hedge": {"enabled": hedged, "min_samples": 1, "max_share": 1.0}}
    for one in plan:
        stage.vitals.of(one.backend, one.model).first_token(0.0)

    async def call() -> None:
        answer = await stage.start(*plan, rules=rules)
        try:
            await collect(answer.chunks)
        finally:
            await answer.chunks.aclose()

    task = asyncio.create_task(call())
    lot = Random(turns)
    for _ in range(turns):
        await asyncio.sleep(0.0005 if lot.random() < 0.1 else 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stage.running() == 0
    assert [peer.running for peer in peers] == [0] * len(peers)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert task.cancelled() or isinstance(task.exception(), GatewayError | None)

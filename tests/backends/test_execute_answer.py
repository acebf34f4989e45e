from __future__ import annotations

import asyncio
import random

import pytest
from backend_calls import ANSWER, chat, collect, plan, text_of
from backend_desk import Desk
from provider.fixtures import ScriptedProvider

from serve_app.backends.base import Batches
from serve_app.backends.execute import Executor
from serve_app.config.policy import ExecutionPolicy
from serve_app.core.clock import FakeClock
from serve_app.core.errors import (
    UpstreamFailed,
)
from serve_app.core.trail import Trail
from serve_app.core.types import Chunk
from serve_app.vitals.book import Vitals
from serve_app.vitals.breaker import FAILURES

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


# -------------------------------------------------------------- after content


async def drain(batches: Batches, into: list[Chunk]) -> None:
    async for batch in batches:
        into += batch


@pytest.mark.parametrize("model", ["cut-after-3", "end-after-3", "error-event-after-3"])
async def test_a_stream_that_breaks_after_content_goes_on_at_the_next(
    desk: Desk, model: str
) -> None:
    answer = await desk.start(f"first/{model}", "second/ok")
    assert text_of(await collect(answer.chunks)) == ANSWER
    assert answer.recovered
    assert answer.candidate.backend == "second"
    assert desk.outcomes()[:2] == ["answered", "interrupted"]
    assert desk.outcomes()[-1] == "recovered"


@pytest.mark.parametrize("model", ["cut-after-3", "end-after-3", "error-event-after-3"])
async def test_a_stream_that_nobody_goes_on_with_ends_with_one_error(
    desk: Desk, model: str
) -> None:
    answer = await desk.start(f"first/{model}")
    seen: list[Chunk] = []
    with pytest.raises(UpstreamFailed) as caught:
        await drain(answer.chunks, seen)
    assert caught.value.code == "stream_interrupted"
    assert ANSWER.startswith(text_of(seen))


async def test_content_before_the_break_is_delivered(desk: Desk) -> None:
    answer = await desk.start("first/cut-after-3")
    assert text_of(await anext(answer.chunks)) == "You said: hello"


@pytest.mark.parametrize("read_first", [False, True])
async def test_closing_an_answer_stops_the_provider(
    desk: Desk, provider: ScriptedProvider, read_first: bool
) -> None:
    answer = await desk.start("first/endless")
    if read_first:
        await anext(answer.chunks)
    await answer.chunks.aclose()
    assert await asyncio.to_thread(provider.wait, "endless", "aborted")
    assert [batch async for batch in answer.chunks] == []


@BOTH
async def test_a_caller_that_leaves_early_stops_the_provider(
    desk: Desk, provider: ScriptedProvider, stream: bool
) -> None:
    task = asyncio.create_task(desk.start("first/no-response", "second/ok", stream=stream))
    assert await asyncio.to_thread(provider.wait, "no-response", "seen")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(provider.wait, "no-response", "aborted")
    assert desk.outcomes() == ["cancelled"]
    assert provider.log("ok") == []


# ----------------------------------------------------------------- the breaker


async def test_a_backend_that_keeps_failing_is_left_alone(
    desk: Desk, provider: ScriptedProvider
) -> None:
    await desk.open_breaker("first/status-500")
    before = len(provider.log("status-500"))
    assert before == FAILURES  # the retry is left out once the breaker is open
    _, answer = await desk.answer("first/status-500", "second/ok")
    assert (answer.candidate.backend, answer.attempts) == ("second", 1)
    assert len(provider.log("status-500")) == before
    assert desk.outcomes()[-2:] == ["skipped", "answered"]


async def test_another_model_of_the_backend_is_not_left_alone(desk: Desk) -> None:
    await desk.open_breaker("first/status-500")
    _, answer = await desk.answer("first/ok")
    assert answer.candidate.backend == "first"


async def test_when_all_are_left_alone_the_longest_is_asked(
    desk: Desk, provider: ScriptedProvider
) -> None:
    provider.script("a", *["status-500"] * FAILURES, "ok")
    provider.script("b", "status-500")
    await desk.open_breaker("first/a")
    await desk.open_breaker("second/b")
    text, answer = await desk.answer("second/b", "first/a")
    assert text == ANSWER
    assert (answer.candidate.model, answer.attempts) == ("a", 1)
    _, again = await desk.answer("first/a")
    assert again.attempts == 1


@pytest.mark.parametrize("model", ["bad-request", "context-too-long"])
async def test_wrong_requests_do_not_open_the_breaker(
    desk: Desk, provider: ScriptedProvider, model: str
) -> None:
    for _ in range(FAILURES + 1):
        await desk.fail(f"first/{model}")
    assert len(provider.log(model)) == FAILURES + 1


async def test_streams_that_always_break_open_the_breaker(desk: Desk) -> None:
    for _ in range(FAILURES):
        answer = await desk.start("first/cut-after-3", rules=ExecutionPolicy(recover=False))
        with pytest.raises(UpstreamFailed):
            await collect(answer.chunks)
    assert not desk.vitals.of("first", "cut-after-3").breaker.allows()


async def test_an_empty_plan_is_a_failure_and_not_a_hang() -> None:
    executor = Executor({}, Vitals(FakeClock()), FakeClock(0.0), random.Random(7), len)
    with pytest.raises(UpstreamFailed):
        await executor.start(plan(), chat(), Trail("r"), 10.0, ExecutionPolicy())

"""Equal requests of one process."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from flights.flight_calls import Upstream, joined, read_all, read_next, until

from serve_app.core.clock import SystemClock
from serve_app.core.errors import BadRequest, GatewayError, Overloaded, RateLimited
from serve_app.core.types import Chunk
from serve_app.flights.flights import Flights

WHO = ("acme", "f" * 64)


@pytest.fixture
async def flights() -> AsyncIterator[Flights]:
    made = Flights(None, "replica", SystemClock(), max_bytes=100_000)
    made.start()
    yield made
    await made.close(1.0)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


async def test_all_who_ask_at_once_get_the_answer_of_one_call(
    flights: Flights, upstream: Upstream
) -> None:
    seats = [flights.lead(*WHO, upstream.launch, holder="")]
    seats += [joined(flights.find(*WHO)) for _ in range(499)]
    reading = [asyncio.create_task(read_all(seat)) for seat in seats]
    await upstream.launched()
    upstream.answer("a", "b", "c")
    assert await asyncio.gather(*reading) == [["a", "b", "c"]] * 500
    assert len(upstream.calls) == 1
    assert upstream.calls[0].is_closed
    assert [seat.leads for seat in seats] == [True] + [False] * 499


async def test_readers_get_what_is_said_as_it_is_said(flights: Flights, upstream: Upstream) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    other = joined(flights.find(*WHO))
    call = await upstream.launched()
    for word in "abc":
        call.say(word)
        assert [await read_next(lead), await read_next(other)] == [word, word]


async def test_who_comes_late_gets_it_from_the_beginning(
    flights: Flights, upstream: Upstream
) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    call = await upstream.launched()
    call.say("a", "b")
    assert [await read_next(lead), await read_next(lead)] == ["a", "b"]
    late = joined(flights.find(*WHO))
    upstream.answer("c")
    assert await read_all(late) == ["a", "b", "c"]
    assert await read_all(lead) == ["c"]


async def test_only_equal_requests_of_one_tenant_meet(flights: Flights, upstream: Upstream) -> None:
    flights.lead(*WHO, upstream.launch, holder="")
    assert flights.find("other", WHO[1]) is None
    assert flights.find(WHO[0], "0" * 64) is None


async def test_one_reader_does_not_see_what_another_rewrote(
    flights: Flights, upstream: Upstream
) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    other = joined(flights.find(*WHO))
    await upstream.launched()
    upstream.answer("secret")
    for seat in (lead, other, joined(flights.find(*WHO))):
        [chunk] = await anext(seat)
        assert chunk.choices[0].delta.content == "secret"
        assert b"secret" in chunk.raw
        chunk.raw = b""
        chunk.choices[0].delta.content = "[redacted]"
        chunk.choices[0].finish_reason = "stop"
        chunk.choices.clear()


async def test_a_leader_that_leaves_does_not_stop_the_others(
    flights: Flights, upstream: Upstream
) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    other = joined(flights.find(*WHO))
    call = await upstream.launched()
    call.say("a")
    assert await read_next(lead) == "a"
    await lead.aclose()
    upstream.answer("b")
    assert await read_all(other) == ["a", "b"]
    assert other.fills
    assert not other.leads


async def test_a_leader_whose_task_is_cancelled_does_not_stop_the_others(
    flights: Flights, upstream: Upstream
) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    other = joined(flights.find(*WHO))
    reading = asyncio.create_task(read_all(lead))
    await upstream.launched()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    upstream.answer("a")
    assert await read_all(other) == ["a"]


async def test_when_all_have_left_the_call_is_closed(flights: Flights, upstream: Upstream) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    other = joined(flights.find(*WHO))
    call = await upstream.launched()
    call.say("a")
    await read_next(other)
    await lead.aclose()
    assert not call.is_closed
    await other.aclose()
    assert call.is_closed
    assert flights.find(*WHO) is None


async def test_leaving_before_the_call_is_made_makes_none(
    flights: Flights, upstream: Upstream
) -> None:
    await flights.lead(*WHO, upstream.launch, holder="").aclose()
    assert not upstream.calls
    assert flights.find(*WHO) is None


async def test_a_closed_seat_is_at_its_end(flights: Flights, upstream: Upstream) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    other = joined(flights.find(*WHO))
    await upstream.launched()
    reading = asyncio.create_task(anext(other, None))
    await asyncio.sleep(0)
    await other.aclose()
    await other.aclose()
    assert await reading is None
    assert not other.fills
    await lead.aclose()


# ------------------------------------------------------------------------- beginnings


async def test_a_flight_begins_with_its_first_batch(flights: Flights, upstream: Upstream) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    begun = asyncio.create_task(lead.begun())
    call = await upstream.launched()
    await asyncio.sleep(0)
    assert not begun.done()
    call.say("a")
    await begun
    assert lead.heading.backend == "hosted"
    assert await read_next(lead) == "a"


async def test_an_answer_that_says_nothing_begins_with_its_end(
    flights: Flights, upstream: Upstream
) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    await upstream.launched()
    upstream.answer()
    await lead.begun()
    assert await read_all(lead) == []


async def test_a_failure_before_the_beginning_is_everybodys(
    flights: Flights, upstream: Upstream
) -> None:
    upstream.refusal = RateLimited("slow down", param="model", code="x", retry_after_s=3)
    lead = flights.lead(*WHO, upstream.launch, holder="")
    other = joined(flights.find(*WHO))
    failed: list[GatewayError] = []
    for seat in (lead, other, lead):
        with pytest.raises(RateLimited) as caught:
            await seat.begun()
        failed.append(caught.value)
    assert len({id(error) for error in failed}) == 3
    for error in failed:
        assert (error.message, error.param) == ("slow down", "model")
        assert (error.code, error.retry_after_s) == ("x", 3)
    assert flights.find(*WHO) is None


async def test_a_failure_in_the_middle_comes_after_what_was_said(
    flights: Flights, upstream: Upstream
) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    other = joined(flights.find(*WHO))
    call = await upstream.launched()
    call.say("a")
    call.end(BadRequest("no", code="stream_interrupted"))
    for seat in (lead, other):
        await seat.begun()
        assert await read_next(seat) == "a"
        with pytest.raises(BadRequest, match="no"):
            await anext(seat)
    assert call.is_closed


async def test_a_mistake_of_ours_is_an_error_of_ours_and_logged(
    flights: Flights, caplog: pytest.LogCaptureFixture
) -> None:
    async def launch(said: list[list[Chunk]]) -> Upstream:
        raise ZeroDivisionError

    lead = flights.lead(*WHO, launch, holder="")  # type: ignore[arg-type]
    with pytest.raises(GatewayError, match="internal"):
        await lead.begun()
    assert "ZeroDivisionError" in caplog.text


async def test_a_flight_runs_in_no_requests_context(flights: Flights) -> None:
    name = contextvars.ContextVar("name", default="nobody")
    name.set("the request")
    upstream, seen = Upstream(), []

    async def launch(said: list[list[Chunk]]) -> object:
        seen.append(name.get())
        return await upstream.launch(said)

    lead = flights.lead(*WHO, launch, holder="")  # type: ignore[arg-type]
    await upstream.launched()
    upstream.answer("a")
    assert await read_all(lead) == ["a"]
    assert seen == ["nobody"]


# ------------------------------------------------------------------------- bounds


async def test_a_call_is_not_read_faster_than_its_slowest_reader(upstream: Upstream) -> None:
    flights = Flights(None, "replica", SystemClock(), max_bytes=500)
    lead = flights.lead(*WHO, upstream.launch, holder="")
    slow = joined(flights.find(*WHO))
    call = await upstream.launched()
    words = [f"{number:050}" for number in range(40)]
    call.say(*words)
    call.end()
    reading = asyncio.create_task(read_all(lead))
    most = 500 // 90
    await until(lambda: call.pulled == most + 1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert call.pulled == most + 1
    assert flights.find(*WHO) is None  # what it said first may be forgotten
    assert await read_next(slow) == words[0]
    await until(lambda: call.pulled == most + 2)
    assert await read_all(slow) == words[1:]
    assert await reading == words


async def test_a_slow_reader_that_leaves_holds_nobody_up(upstream: Upstream) -> None:
    flights = Flights(None, "replica", SystemClock(), max_bytes=500)
    lead = flights.lead(*WHO, upstream.launch, holder="")
    slow = joined(flights.find(*WHO))
    call = await upstream.launched()
    words = [f"{number:050}" for number in range(40)]
    call.say(*words)
    call.end()
    reading = asyncio.create_task(read_all(lead))
    await until(lambda: flights.find(*WHO) is None)
    await slow.aclose()
    assert await reading == words


async def test_what_no_one_can_join_any_more_is_asked_again(upstream: Upstream) -> None:
    flights = Flights(None, "replica", SystemClock(), max_bytes=10)
    first = flights.lead(*WHO, upstream.launch, holder="")
    (await upstream.launched()).say("a")
    await first.begun()
    second = flights.lead(*WHO, upstream.launch, holder="")
    await upstream.launched(2)
    upstream.answer("b")
    assert await read_all(second) == ["b"]
    upstream.calls[0].end()
    assert await read_all(first) == ["a"]


# ------------------------------------------------------------------------- landing


async def test_between_its_end_and_the_cache_a_flight_can_be_joined(
    flights: Flights, upstream: Upstream
) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    await upstream.launched()
    upstream.answer("a", "b")
    assert await read_all(lead) == ["a", "b"]
    assert (lead.fills, lead.outcome.completion_tokens) == (True, 2)
    late = flights.lead(*WHO, upstream.launch, holder="")
    assert await read_all(late) == ["a", "b"]
    assert not late.fills
    flights.landed(*WHO, kept=True)
    assert flights.find(*WHO) is None
    assert len(upstream.calls) == 1


async def test_an_answer_that_is_not_kept_is_gone_at_once(flights: Flights) -> None:
    upstream = Upstream(repeatable=False)
    lead = flights.lead(*WHO, upstream.launch, holder="")
    await upstream.launched()
    upstream.answer("a")
    assert await read_all(lead) == ["a"]
    assert flights.find(*WHO) is None


async def test_landing_is_of_a_flight_that_is_over(flights: Flights, upstream: Upstream) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    await upstream.launched()
    flights.landed(*WHO, kept=True)
    assert flights.find(*WHO) is not None
    await lead.aclose()


async def test_a_landing_nobody_tells_of_has_a_limit(
    flights: Flights, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.flights.flights.LANDING_S", 0.01)
    lead = flights.lead(*WHO, upstream.launch, holder="")
    await upstream.launched()
    upstream.answer("a")
    assert await read_all(lead) == ["a"]
    await until(lambda: flights.find(*WHO) is None)


# ------------------------------------------------------------------------- ends


async def test_closing_ends_what_flies(flights: Flights, upstream: Upstream) -> None:
    lead = flights.lead(*WHO, upstream.launch, holder="")
    call = await upstream.launched()
    await flights.close(1.0)
    assert call.is_closed
    with pytest.raises(Overloaded):
        await read_all(lead)


async def test_nothing_of_a_flight_is_left_for_the_collector(
    flights: Flights, upstream: Upstream
) -> None:
    class Request:
        pass

    async def one(*, fails: bool) -> weakref.ref[Request]:
        request = Request()

        async def launch(said: list[list[Chunk]], held: Request = request) -> object:
            return await upstream.launch(said)

        lead = flights.lead(*WHO, launch, holder="")  # type: ignore[arg-type]
        await upstream.launched(len(upstream.calls) + 1)
        upstream.calls[-1].say("a")
        upstream.calls[-1].end(Overloaded("x") if fails else None)
        with suppress(GatewayError):
            await read_all(lead)
        flights.landed(*WHO, kept=True)
        await asyncio.sleep(0)
        return weakref.ref(request)

    gc.collect()
    gc.disable()
    try:
        for fails in (False, True):
            request = await one(fails=fails)
            await until(lambda request=request: request() is None)  # type: ignore[misc]
    finally:
        gc.enable()

"""Traces of a whole gateway, as a real collector gets them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from houses import Flow, Open, arguments, policy
from provider.fixtures import ScriptedProvider
from tracing.collector import Collector, Seen, running_collector

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE, SPAN = CALLER.split("-")[1:3]
HEADERS = {"traceparent": CALLER, "tracestate": "rojo=00f067aa0ba902b7"}


@pytest.fixture(scope="module")
def running() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


def traced(base_url: str, endpoint: str = "") -> dict[str, Any]:
    [backend] = arguments(base_url)["backends"]
    backend |= {"trace": True, "quirks": {"prefix": "partial"}}
    return {"backends": [backend], "tracing": {"endpoint": endpoint}}


async def ask(flow: Flow, headers: dict[str, str] | None = None, **fields: Any) -> str:
    """A chat; its request id."""
    body = {"model": "ok", "messages": [{"role": "user", "content": "hello"}], **fields}
    async with flow.http.post("/v1/chat/completions", json=body, headers=headers) as answer:
        await answer.read()
        return str(answer.headers["x-request-id"])


async def trace_of(
    running: Collector, request_id: str, enough: Callable[[list[Seen]], object] = bool
) -> tuple[Seen, list[Seen]]:
    """The span of a request, and those below it."""

    def of_request(spans: list[Seen]) -> list[Seen]:
        roots = [span for span in spans if span.facts.get("serve_app.request_id") == request_id]
        found = [*roots, *(s for root in roots for s in spans if s.parent == root.id)]
        return found if found and enough(found) else []

    root, *below = of_request(await asyncio.to_thread(running.until, of_request))
    return root, below


async def test_one_trace_leads_from_the_caller_to_the_backend(
    open_flow: Open, running: Collector, provider: ScriptedProvider
) -> None:
    rules = policy(tracing={"sample": 0.0})
    async with open_flow(traced(provider.base_url, running.endpoint), rules) as flow:
        request_id = await ask(flow, HEADERS)
        root, below = await trace_of(running, request_id)
    assert (root.trace, root.parent, root.kind, root.status) == (TRACE, SPAN, "server", "unset")
    assert root.facts["http.route"] == "/v1/chat/completions"
    assert root.facts["http.response.status_code"] == "200"
    assert root.resource["service.name"] == "serve-app"
    names = [span.name for span in below]
    assert {"admission", "cache", "router", "chat ok"} <= set(names)
    assert all(span.trace == TRACE for span in below)
    assert all(root.began_ns <= s.began_ns <= s.ended_ns <= root.ended_ns for s in below)

    [call] = [span for span in below if span.kind == "client"]
    [entry] = provider.log()
    assert entry["headers"]["traceparent"] == f"00-{TRACE}-{call.id}-01"
    assert entry["headers"]["tracestate"] == HEADERS["tracestate"]
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "p",
        "gen_ai.request.model": "ok",
        "gen_ai.response.model": "ok",
    }
    assert expected.items() <= call.facts.items()
    assert int(call.facts["gen_ai.usage.input_tokens"]) > 0
    assert int(call.facts["gen_ai.usage.output_tokens"]) > 0
    assert "hello" not in running.text()


async def test_a_stream_is_one_call_from_sending_to_its_last_event(
    open_flow: Open, running: Collector, provider: ScriptedProvider
) -> None:
    provider.script("ok", "tale+drip-5ms")
    rules = policy(tracing={"sample": 1.0})
    async with open_flow(traced(provider.base_url, running.endpoint), rules) as flow:
        request_id = await ask(flow, stream=True)
        _, below = await trace_of(running, request_id)
    [call] = [span for span in below if span.kind == "client"]
    first_s = float(call.facts["gen_ai.response.time_to_first_chunk"])
    assert first_s < (call.ended_ns - call.began_ns) / 1e9
    assert call.facts["gen_ai.request.stream"] == "true"


async def test_an_answer_that_broke_off_and_went_on_is_two_calls(
    open_flow: Open, running: Collector, provider: ScriptedProvider
) -> None:
    provider.script("ok", "tale+cut-after-40", "tale+partial")
    rules = policy(tracing={"sample": 1.0})
    async with open_flow(traced(provider.base_url, running.endpoint), rules) as flow:
        request_id = await ask(flow, stream=True)
        _, below = await trace_of(running, request_id)
    broken, mended = [span for span in below if span.kind == "client"]
    assert (broken.facts["serve_app.attempt"], broken.status) == ("interrupted", "error")
    assert (mended.facts["serve_app.attempt"], mended.status) == ("recovered", "unset")
    assert broken.ended_ns <= mended.ended_ns
    told = [entry["headers"]["traceparent"].split("-")[2] for entry in provider.log()]
    assert told == [broken.id, mended.id]


async def test_failed_requests_are_told_of_though_not_sampled(
    open_flow: Open, running: Collector, provider: ScriptedProvider
) -> None:
    provider.script("second", "status-500")
    rules = policy(tracing={"sample": 0.0}, execution={"retries": 0})
    async with open_flow(traced(provider.base_url, running.endpoint), rules) as flow:
        good = await ask(flow)
        bad = await ask(flow, model="second")
        root, below = await trace_of(running, bad)
    assert (root.status, root.facts["error.type"]) == ("error", "all_backends_failed")
    [call] = [span for span in below if span.kind == "client"]
    assert (call.status, call.facts["error.type"]) == ("error", "500")
    assert good not in running.text()
    flags = [entry["headers"]["traceparent"][-2:] for entry in provider.log()]
    assert set(flags) == {"00"}


async def test_work_that_is_done_later_is_linked_to_who_asked_for_it(
    open_flow: Open, running: Collector, provider: ScriptedProvider
) -> None:
    rules = policy(tracing={"sample": 1.0})
    async with open_flow(traced(provider.base_url, running.endpoint), rules) as flow:
        body = {"message": "hello", "model": "ok"}
        async with flow.http.post("/agent/async", json=body, headers=HEADERS) as answer:
            request_id = answer.headers["x-request-id"]
            assert answer.status == 202

        def both(spans: list[Seen]) -> list[Seen]:
            found = [s for s in spans if s.facts.get("serve_app.request_id") == request_id]
            return found if len(found) == 2 else []

        asked, done = sorted(
            both(await asyncio.to_thread(running.until, both)),
            key=lambda span: span.kind != "server",
        )
    assert (asked.kind, asked.trace, asked.links) == ("server", TRACE, [])
    assert done.kind == "consumer"
    assert done.trace != TRACE
    assert done.links == [f"{TRACE}/{asked.id}"]


async def test_untraced_the_callers_place_goes_through_unchanged(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow(traced(provider.base_url)) as flow:
        await ask(flow, HEADERS)
        await ask(flow, {"traceparent": "00-nonsense"}, temperature=0.1)
    first, second = [entry["headers"] for entry in provider.log()]
    assert (first["traceparent"], first["tracestate"]) == tuple(HEADERS.values())
    assert "traceparent" not in second


async def test_a_backend_that_is_not_to_know_is_told_nothing(
    open_flow: Open, running: Collector, provider: ScriptedProvider
) -> None:
    args = traced(provider.base_url, running.endpoint)
    args["backends"][0]["trace"] = False
    async with open_flow(args) as flow:
        await ask(flow, HEADERS)
    [entry] = provider.log()
    assert not {"traceparent", "tracestate"} & set(entry["headers"])

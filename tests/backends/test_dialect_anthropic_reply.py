"""Anthropic's replies as canonical ones, through the whole backend and event by event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from dialect_talk import ANSWER, WEATHER, Talk, answered, backend
from provider.fixtures import ScriptedProvider

from serve_app.backends.base import AttemptFailed

NOW = {"type": "function", "function": {"name": "now"}}

both = pytest.mark.parametrize("stream", [False, True])


@pytest.fixture
async def claude(provider: ScriptedProvider) -> AsyncIterator[Talk]:
    talk = Talk(backend("anthropic", provider.base_url, timeouts={"idle_s": 0.3}))
    yield talk
    await talk.hosted.close()


async def fail(talk: Talk, model: str, **more: Any) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        await talk.chunks(model, **more)
    return caught.value


@both
async def test_a_text(claude: Talk, stream: bool) -> None:
    said = await claude.ask("ok", stream=stream)
    assert said.message == {"role": "assistant", "content": ANSWER}
    assert said.finish == "stop"
    assert said.chunks[0].id == "msg_scripted"
    assert said.usage["prompt_tokens"] == 4
    assert said.usage["total_tokens"] == 4 + said.usage["completion_tokens"] > 4


async def test_a_stream_is_told_piece_by_piece(claude: Talk) -> None:
    said = await claude.ask("ok", stream=True)
    deltas = [chunk.choices[0].delta for chunk in said.chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert [d.content for d in deltas[1:-1]] == [
        "You",
        " said:",
        " hello",
        " dear",
        " wörld",
        " 世界",
    ]
    assert said.chunks[-1].choices == []
    assert said.chunks[-1].usage is not None


@both
async def test_a_tool_loop(claude: Talk, stream: bool) -> None:
    said = await claude.ask("tools-parallel", tools=[WEATHER, NOW], stream=stream)
    assert said.finish == "tool_calls"
    assert [call["function"]["name"] for call in said.calls] == ["get_weather", "now"]
    assert [msgspec.json.decode(call["function"]["arguments"]) for call in said.calls] == [
        {"city": "Paris"},
        {"city": "Oslo"},
    ]
    messages = answered(said, ["sunny", "rain"])
    said = await claude.ask("tools-parallel", messages, tools=[WEATHER, NOW], stream=stream)
    assert said.message["content"] == "The tools said: sunny / rain"
    assert said.finish == "stop"


@both
async def test_a_call_without_arguments(claude: Talk, stream: bool) -> None:
    said = await claude.ask("tools-bare", tools=[NOW], stream=stream)
    assert said.message["content"] == "I look."
    assert said.calls[0]["function"]["arguments"] == "{}"


@both
async def test_thinking_comes_apart_and_goes_back_as_it_was(claude: Talk, stream: bool) -> None:
    more = {"tools": [WEATHER], "reasoning_effort": "low", "stream": stream}
    said = await claude.ask("thinking-sealed-tools", **more)
    assert said.message["reasoning_content"] == "Let me think. It is grüne 世界."
    assert [entry["type"] for entry in said.message["reasoning_details"]] == [
        "reasoning.text",
        "reasoning.encrypted",
    ]
    # The provider refuses thinking that is not exactly what it said.
    said = await claude.ask("thinking-sealed-tools", answered(said, ["sunny"]), **more)
    assert said.message["content"] == "The tools said: sunny"


@both
async def test_thinking_that_is_not_shown_goes_back_too(
    claude: Talk, provider: ScriptedProvider, stream: bool
) -> None:
    provider.script("claude-opus-5-5", "thinking-omitted-tools")
    said = await claude.ask("claude-opus-5-5", tools=[WEATHER], stream=stream)
    assert "reasoning_content" not in said.message
    said = await claude.ask(
        "claude-opus-5-5", answered(said, ["sunny"]), tools=[WEATHER], stream=stream
    )
    assert said.message["content"] == "The tools said: sunny"
    turns = provider.log("claude-opus-5-5")[-1]["body"]["messages"]
    assert turns[1]["content"][0]["type"] == "thinking"


@both
@pytest.mark.parametrize(
    ("why", "finish"),
    [
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("something_new", "stop"),
    ],
)
async def test_why_it_stopped(claude: Talk, stream: bool, why: str, finish: str) -> None:
    said = await claude.ask(f"stop-{why}", stream=stream)
    assert (said.message["content"], said.finish) == (ANSWER, finish)


@both
async def test_a_refusal_says_why(claude: Talk, stream: bool) -> None:
    said = await claude.ask("refusal", stream=stream)
    assert said.finish == "content_filter"
    assert said.message["refusal"] == "This could do harm."


@both
async def test_tokens_of_a_cache_count_as_prompt(claude: Talk, stream: bool) -> None:
    usage = (await claude.ask("cached", stream=stream)).usage
    assert usage["prompt_tokens"] == 124
    assert usage["prompt_tokens_details"] == {"cached_tokens": 100, "cache_creation_tokens": 20}


@both
@pytest.mark.parametrize("prefix", ["You said:", "You said: ", "You said: hello\n"])
async def test_an_answer_goes_on_from_its_beginning(
    claude: Talk, stream: bool, prefix: str
) -> None:
    """The white space that the API does not take is not said twice."""
    said = await claude.ask("ok", stream=stream, prefix=prefix)
    whole = prefix + said.message["content"]
    assert whole.replace("\n", "") == ANSWER


async def test_new_kinds_of_events_say_nothing_to_us(claude: Talk) -> None:
    said = await claude.ask("new-events", stream=True)
    assert (said.message["content"], said.finish) == (ANSWER, "stop")


# ----------------------------------------------------------------- failures


@both
@pytest.mark.parametrize(
    ("model", "kind", "status"),
    [
        ("status-400", "caller", 400),
        ("status-401", "candidate", 401),
        ("unknown", "candidate", 404),
        ("status-429", "transient", 429),
        ("status-500", "transient", 500),
        ("status-529", "transient", 529),
        ("context-too-long", "candidate", 400),
        ("error-in-200", "transient", 503),
    ],
)
async def test_refusals(claude: Talk, stream: bool, model: str, kind: str, status: int) -> None:
    failed = await fail(claude, model, stream=stream)
    assert (failed.kind, failed.status) == (kind, status)


async def test_what_the_api_does_not_take_is_told(claude: Talk) -> None:
    failed = await fail(claude, "ok", stop=["END"], max_tokens=-5)
    assert (failed.kind, failed.status) == ("caller", 400)
    assert "max_tokens" in failed.message


async def test_without_a_key_it_is_refused(provider: ScriptedProvider) -> None:
    talk = Talk(backend("anthropic", provider.base_url, api_key_env=[]))
    assert (await fail(talk, "ok")).status == 401
    await talk.hosted.close()


@pytest.mark.parametrize("n", [0, 2])
async def test_an_overload_in_a_stream_is_a_failure(claude: Talk, n: int) -> None:
    failed = await fail(claude, f"error-event-after-{n}", stream=True)
    assert (failed.kind, failed.status, failed.message) == ("transient", 503, "Overloaded")


@pytest.mark.parametrize("model", ["cut-after-0", "cut-after-3", "end-after-3"])
async def test_a_cut_stream_is_a_failure(claude: Talk, model: str) -> None:
    failed = await fail(claude, model, stream=True)
    assert (failed.kind, failed.code) == ("transient", "truncated")


async def test_a_stream_that_stalls_is_a_failure(claude: Talk) -> None:
    assert (await fail(claude, "stall-after-2", stream=True)).kind == "transient"


async def test_a_malformed_event_is_skipped(claude: Talk) -> None:
    chunks = await claude.chunks("malformed-event", stream=True)
    assert sum(chunk.skipped for chunk in chunks) == 1

"""Gemini's replies as canonical ones, through the whole backend and event by event."""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from dialect_talk import ANSWER, WEATHER, Talk, answered, backend
from provider.fixtures import ScriptedProvider

from serve_app.backends.base import AttemptFailed

NOW = {"type": "function", "function": {"name": "now"}}

both = pytest.mark.parametrize("stream", [False, True])


def address(provider: ScriptedProvider) -> str:
    return provider.base_url.removesuffix("/v1") + "/v1beta"


@pytest.fixture
async def gemini(provider: ScriptedProvider) -> AsyncIterator[Talk]:
    talk = Talk(backend("gemini", address(provider), timeouts={"idle_s": 0.3}))
    yield talk
    await talk.hosted.close()


async def fail(talk: Talk, model: str, **more: Any) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        await talk.chunks(model, **more)
    return caught.value


@both
async def test_a_text(gemini: Talk, stream: bool) -> None:
    said = await gemini.ask("ok", stream=stream)
    assert said.message == {"role": "assistant", "content": ANSWER}
    assert said.finish == "stop"
    assert len({chunk.id for chunk in said.chunks}) == 1
    assert said.chunks[0].id.startswith("resp-")
    assert said.usage == {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}


async def test_a_stream_tells_its_usage_once_and_last(gemini: Talk) -> None:
    chunks = await gemini.chunks("ok", stream=True)
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []


@both
async def test_a_tool_loop(gemini: Talk, stream: bool) -> None:
    """The provider refuses a call of a function without the signature that it gave."""
    model, tools = "gemini-3-tools-parallel", [WEATHER, NOW]
    said = await gemini.ask(model, tools=tools, stream=stream)
    assert said.finish == "tool_calls"
    assert [call["function"]["name"] for call in said.calls] == ["get_weather", "now"]
    assert msgspec.json.decode(said.calls[1]["function"]["arguments"]) == {"city": "Oslo"}
    assert len({call["id"] for call in said.calls}) == 2
    assert said.calls[0]["extra_content"]["google"]["thought_signature"].startswith("sig-")
    said = await gemini.ask(model, answered(said, ["sunny", "rain"]), tools=tools, stream=stream)
    assert said.message["content"] == "The tools said: get_weather=sunny / now=rain"
    assert said.finish == "stop"


@both
async def test_a_tool_loop_of_a_client_that_keeps_no_extensions(gemini: Talk, stream: bool) -> None:
    said = await gemini.ask("gemini-3-tools", tools=[WEATHER], stream=stream)
    del said.calls[0]["extra_content"]
    said = await gemini.ask(
        "gemini-3-tools", answered(said, ["sunny"]), tools=[WEATHER], stream=stream
    )
    assert said.message["content"] == "The tools said: get_weather=sunny"


@both
async def test_thoughts_come_apart_and_are_counted(gemini: Talk, stream: bool) -> None:
    said = await gemini.ask("thinking", stream=stream, reasoning_effort="low")
    assert said.message["reasoning_content"] == "**Thinking** about 世界"
    assert said.message["content"] == f"{ANSWER} Done."
    assert said.message["extra_content"]["google"]["thought_signature"].startswith("sig-")
    assert said.usage["completion_tokens_details"] == {"reasoning_tokens": 40}
    assert said.usage["completion_tokens"] > 40


@both
async def test_cached_tokens_are_among_the_prompts(gemini: Talk, stream: bool) -> None:
    usage = (await gemini.ask("cached", stream=stream)).usage
    assert usage["prompt_tokens"] == 104
    assert usage["prompt_tokens_details"] == {"cached_tokens": 100}


@both
async def test_log_probabilities(gemini: Talk, stream: bool) -> None:
    said = await gemini.ask("logprobs", stream=stream, logprobs=True, top_logprobs=2)
    assert [entry["token"] for entry in said.logprobs] == ["é", "!"]
    assert said.logprobs[0]["logprob"] == pytest.approx(-0.693, abs=0.001)
    assert said.logprobs[0]["bytes"] == [0xC3, 0xA9]
    assert [top["token"] for top in said.logprobs[0]["top_logprobs"]] == ["é", "x"]


@both
async def test_several_answers(gemini: Talk, stream: bool) -> None:
    chunks = await gemini.chunks("ok", stream=stream, n=2)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    for index in (0, 1):
        mine = [choice for choice in choices if choice.index == index]
        assert "".join(choice.delta.content or "" for choice in mine) == ANSWER
        assert mine[-1].finish_reason == "stop"
    assert sum(chunk.usage is not None for chunk in chunks) == 1


@both
@pytest.mark.parametrize(
    ("why", "finish"),
    [
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
    ],
)
async def test_why_it_ended(gemini: Talk, stream: bool, why: str, finish: str) -> None:
    assert (await gemini.ask(f"finish-{why}", stream=stream)).finish == finish


# ----------------------------------------------------------------- failures


@both
@pytest.mark.parametrize(
    ("why", "kind"),
    [
        ("MALFORMED_FUNCTION_CALL", "transient"),
        ("OTHER", "transient"),
        ("MISSING_THOUGHT_SIGNATURE", "candidate"),
    ],
)
async def test_an_end_that_is_none(gemini: Talk, stream: bool, why: str, kind: str) -> None:
    failed = await fail(gemini, f"finish-{why}", stream=stream)
    assert (failed.kind, failed.code) == (kind, "broken")
    assert why in failed.message


@both
async def test_a_blocked_prompt_is_a_matter_of_content(gemini: Talk, stream: bool) -> None:
    failed = await fail(gemini, "blocked", stream=stream)
    assert failed.kind == "content"
    assert failed.message == "Gemini refused the prompt: PROHIBITED_CONTENT"


@both
@pytest.mark.parametrize(
    ("model", "kind", "status"),
    [
        ("status-400", "caller", 400),
        ("status-403", "candidate", 403),
        ("unknown", "candidate", 404),
        ("status-429", "transient", 429),
        ("status-503", "transient", 503),
        ("error-list", "transient", 503),
    ],
)
async def test_refusals(gemini: Talk, stream: bool, model: str, kind: str, status: int) -> None:
    failed = await fail(gemini, model, stream=stream)
    assert (failed.kind, failed.status) == (kind, status)


async def test_a_spent_minute_says_how_long_it_takes(gemini: Talk) -> None:
    """The API says so in the body, not in a header."""
    failed = await fail(gemini, "quota")
    assert (failed.kind, failed.status) == ("transient", 429)
    assert failed.retry_after_s == pytest.approx(34.07, abs=1.0)


async def test_a_wrong_key_is_a_wrong_key_though_it_is_a_400(gemini: Talk) -> None:
    failed = await fail(gemini, "bad-key")
    assert (failed.kind, failed.code) == ("candidate", "provider_auth")


async def test_without_a_key_it_is_refused(provider: ScriptedProvider) -> None:
    talk = Talk(backend("gemini", address(provider), api_key_env=[]))
    assert (await fail(talk, "ok")).status == 403
    await talk.hosted.close()


@pytest.mark.parametrize("n", [0, 2])
async def test_an_error_in_a_stream_is_a_failure(gemini: Talk, n: int) -> None:
    failed = await fail(gemini, f"error-event-after-{n}", stream=True)
    assert (failed.kind, failed.status) == ("transient", 503)
    assert failed.message == "The model is overloaded."


@pytest.mark.parametrize("model", ["cut-after-0", "cut-after-3", "end-after-3"])
async def test_a_cut_stream_is_a_failure(gemini: Talk, model: str) -> None:
    failed = await fail(gemini, model, stream=True)
    assert (failed.kind, failed.code) == ("transient", "truncated")


async def test_a_stream_that_stalls_is_a_failure(gemini: Talk) -> None:
    assert (await fail(gemini, "stall-after-2", stream=True)).kind == "transient"


async def test_a_malformed_event_is_skipped(gemini: Talk) -> None:
    chunks = await gemini.chunks("malformed-event", stream=True)
    assert sum(chunk.skipped for chunk in chunks) == 1


# -------------------------------------------------------------- embeddings


async def embed(gemini: Talk, **fields: Any) -> dict[str, Any]:
    (chunk,) = await gemini.chunks("embedder", [], endpoint="embeddings", **fields)
    assert chunk.whole
    answer: dict[str, Any] = msgspec.json.decode(chunk.raw)
    return answer


async def test_embeddings_in_the_order_of_the_texts(gemini: Talk) -> None:
    answer = await embed(gemini, input=["one", "three"])
    assert answer["object"] == "list"
    assert answer["model"] == "embedder"
    assert answer["data"] == [
        {"object": "embedding", "index": 0, "embedding": [3, 0.5, -0.25]},
        {"object": "embedding", "index": 1, "embedding": [5, 0.5, -0.25]},
    ]
    assert answer["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


async def test_embeddings_packed_and_shortened(gemini: Talk) -> None:
    answer = await embed(gemini, input="four", dimensions=2, encoding_format="base64")
    packed = base64.b64decode(answer["data"][0]["embedding"])
    assert struct.unpack("<2f", packed) == (4.0, 0.5)

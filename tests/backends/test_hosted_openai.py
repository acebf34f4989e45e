from __future__ import annotations

import asyncio
import json

import pytest
from backend_calls import ANSWER, call, collect, fail, run, text_of
from msgspec import structs
from provider.answers import EMAIL_PIECES, EMAIL_TEXT
from provider.fixtures import ScriptedProvider

from serve_app.backends.hosted import Hosted

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@BOTH
@pytest.mark.parametrize("model", ["ok", "slow-20ms", "gzip"])
async def test_an_answer_arrives(hosted: Hosted, model: str, stream: bool) -> None:
    chunks = await run(hosted, model, stream=stream)
    assert text_of(chunks) == ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert [chunk.whole for chunk in chunks] == ([False] * len(chunks) if stream else [True])


@pytest.mark.parametrize(
    "model", ["crlf", "no-space", "bytewise", "comments-first", "drip-2ms", "no-done", "open-end"]
)
async def test_a_stream_arrives_however_it_is_framed(hosted: Hosted, model: str) -> None:
    chunks = await run(hosted, model, stream=True)
    assert text_of(chunks) == ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_a_malformed_event_between_good_ones_is_left_out(hosted: Hosted) -> None:
    chunks = await run(hosted, "malformed-between-after-3", stream=True)
    assert text_of(chunks) == ANSWER
    assert sum(chunk.skipped for chunk in chunks) == 1


async def test_a_whole_stream_cut_before_its_goodbye_is_whole(hosted: Hosted) -> None:
    assert text_of(await run(hosted, "no-done-cut", stream=True)) == ANSWER


@BOTH
async def test_the_request_arrives_as_it_was_sent(
    hosted: Hosted, provider: ScriptedProvider, stream: bool
) -> None:
    sent = call("echo", stream=stream, unknown={"x": [1, None]}, temperature=0.5)
    chunks = await collect(hosted.run(sent))
    assert json.loads(text_of(chunks)) == json.loads(sent.body)
    [seen] = provider.log("echo")
    assert seen["has_authorization"]
    assert seen["headers"]["x-request-id"] == "req-1"
    assert seen["headers"]["content-type"] == "application/json"


async def test_a_request_id_that_is_no_header_value_is_left_out(
    hosted: Hosted, provider: ScriptedProvider
) -> None:
    await collect(hosted.run(structs.replace(call("ok"), request_id="a\r\nb")))
    assert "x-request-id" not in provider.log("ok")[0]["headers"]


async def test_a_large_request_arrives(hosted: Hosted) -> None:
    text = "long " * 500_000
    chunks = await run(hosted, "ok", text=text)
    assert text_of(chunks) == f"You said: {text}"


@BOTH
async def test_usage_arrives(hosted: Hosted, stream: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if stream else {}
    usage = (await run(hosted, "ok", stream=stream, **options))[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (4, 6)


@BOTH
async def test_every_choice_arrives(hosted: Hosted, stream: bool) -> None:
    chunks = await run(hosted, "ok", stream=stream, n=3)
    assert [text_of(chunks, index) for index in range(4)] == [ANSWER, ANSWER, ANSWER, ""]


@BOTH
async def test_tool_calls_arrive(hosted: Hosted, stream: bool) -> None:
    chunks = await run(hosted, "tools", stream=stream)
    calls = [t for c in chunks for choice in c.choices for t in choice.delta.tool_calls or ()]
    functions = [call.function for call in calls if call.function is not None]
    assert calls[0].id == "call_1"
    assert functions[0].name == "get_weather"
    assert json.loads("".join(f.arguments or "" for f in functions)) == {"city": "Paris"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@BOTH
async def test_reasoning_arrives(hosted: Hosted, stream: bool) -> None:
    chunks = await run(hosted, "reasoning", stream=stream)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(d.reasoning_content or "" for d in deltas) == "Let me think."
    assert text_of(chunks) == ANSWER


@BOTH
async def test_nulls_that_openai_does_not_send_do_not_matter(hosted: Hosted, stream: bool) -> None:
    assert text_of(await run(hosted, "nulls", stream=stream)) == ANSWER


async def test_pieces_stay_the_pieces_of_the_provider(hosted: Hosted) -> None:
    chunks = await run(hosted, "emails", stream=True)
    pieces = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
    assert pieces == EMAIL_PIECES
    assert text_of(await run(hosted, "emails")) == EMAIL_TEXT


async def test_chunks_that_came_together_are_one_batch(hosted: Hosted) -> None:
    batches = [batch async for batch in hosted.run(call("chunks-1000", stream=True))]
    chunks = [chunk for batch in batches for chunk in batch]
    assert text_of(chunks) == " word" * 1000
    assert len(batches) < 200


async def test_connections_are_used_again(hosted: Hosted, provider: ScriptedProvider) -> None:
    for stream in (False, True, True, False) * 5:
        await run(hosted, "ok", stream=stream)
        await fail(hosted, "status-503")
    calls = provider.log()
    assert len(calls) == 40
    # A stream's last bytes may come after the next call has begun, on a busy machine.
    assert len({entry["connection"] for entry in calls}) <= 5


async def test_a_message_that_does_not_end_costs_its_connection_only(
    hosted: Hosted, provider: ScriptedProvider
) -> None:
    await run(hosted, "open-end", stream=True)
    assert text_of(await run(hosted, "ok")) == ANSWER
    gone = await asyncio.to_thread(provider.wait, "open-end", "aborted")
    assert gone
    assert len({entry["connection"] for entry in provider.log()}) == 2


async def test_parallel_answers_do_not_mix(hosted: Hosted) -> None:
    texts = [f"question {n}" for n in range(50)]
    runs = [run(hosted, "drip-1ms", text=text, stream=bool(n % 2)) for n, text in enumerate(texts)]
    answers = await asyncio.gather(*runs)
    assert [text_of(chunks) for chunks in answers] == [f"You said: {text}" for text in texts]


async def test_a_provider_that_never_streams_is_made_to(hosted: Hosted) -> None:
    chunks = await run(hosted, "never-streams", stream=True)
    assert text_of(chunks) == ANSWER
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.finish_reason for chunk in chunks for c in chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None

"""Responses as events and as bodies: one code makes both, and the client's types take them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from responses_world import ID, NOW, Json, body_of, events_of, final, kinds, read, shape
from wire_chunks import Told, call, chunk, usage_chunk, whole

from serve_app.core.errors import UpstreamFailed
from serve_app.core.tools import ToolListing, ToolSpec, ToolStep
from serve_app.core.types import Chunk, Usage
from serve_app.wire.reply import collect
from serve_app.wire.responses.sealed import opened

SEALS = {"include": ["reasoning.encrypted_content"]}


async def test_a_text_is_told_piece_by_piece() -> None:
    events = await events_of(
        [chunk({"role": "assistant", "content": ""})],
        [chunk({"content": "Hel"}), chunk({"content": "lo"})],
        [chunk({}, "stop"), usage_chunk(5, 2, prompt_tokens_details={"cached_tokens": 3})],
    )
    assert kinds(events) == [
        "created", "in_progress", "output_item.added", "content_part.added",
        "output_text.delta", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    assert [e["delta"] for e in events if "delta" in e] == ["Hel", "lo"]
    response = final(events)
    [message] = response["output"]
    assert message["content"] == [
        {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    ]
    assert message["id"] == "msg_" + "ab" * 22 + "0001"
    assert (response["id"], response["status"]) == (ID, "completed")
    assert (response["created_at"], response["completed_at"]) == (NOW, NOW)
    assert response["usage"]["input_tokens_details"]["cached_tokens"] == 3
    assert response["usage"]["total_tokens"] == 7


async def test_mixed_calls_keep_their_own_arguments() -> None:
    events = await events_of(
        [chunk({"content": "Let me see."})],
        [chunk(call(0, id="call_a", name="look", arguments="")), chunk(call(1, arguments="{"))],
        [chunk(call(1, id="call_b", name="find")), chunk(call(0, arguments='{"at": 1}'))],
        [chunk(call(1, arguments="}")), chunk({}, "tool_calls")],
    )
    message, first, second = final(events)["output"]
    assert message["content"][0]["text"] == "Let me see."
    assert (first["call_id"], first["name"], first["arguments"]) == ("call_a", "look", '{"at": 1}')
    assert (second["call_id"], second["name"], second["arguments"]) == ("call_b", "find", "{}")
    done = [e for e in events if e["type"] == "response.function_call_arguments.done"]
    assert [(e["output_index"], e["arguments"]) for e in done] == [(1, '{"at": 1}'), (2, "{}")]
    # The text was over when the first call began: a client may show it.
    assert kinds(events).index("content_part.done") < kinds(events).index(
        "function_call_arguments.delta"
    )


@pytest.mark.parametrize(
    ("fields", "place", "delta"),
    [
        ({}, "content", "reasoning_text.delta"),
        ({"reasoning": {"summary": "auto"}}, "summary", "reasoning_summary_text.delta"),
    ],
)
async def test_reasoning_is_told_as_it_is_or_as_a_summary(
    fields: Json, place: str, delta: str
) -> None:
    thoughts = [chunk({"reasoning_content": "Hm"}), chunk({"reasoning": ", so"})]
    events = await events_of(thoughts, [chunk({"content": "A"})], **fields)
    reasoning, message = final(events)["output"]
    assert [part["text"] for part in reasoning[place]] == ["Hm, so"]
    assert kinds(events).count(delta) == 2
    assert message["type"] == "message"
    assert "encrypted_content" not in reasoning


async def test_what_a_provider_wants_back_of_reasoning_is_in_its_item() -> None:
    detail = {"type": "reasoning.text", "text": "Hm", "signature": "EqQB"}
    events = await events_of(
        [chunk({"reasoning_content": "Hm"}), chunk({"reasoning_details": [detail]})],
        [chunk({"content": "A"}, "stop")],
        **SEALS,
    )
    reasoning = final(events)["output"][0]
    assert opened(reasoning["encrypted_content"]) == [detail]


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
async def test_an_answer_that_was_cut_is_incomplete(finish: str, reason: str) -> None:
    events = await events_of([chunk({"content": "Hel"}, finish)])
    response = final(events)
    assert events[-1]["type"] == "response.incomplete"
    assert response["incomplete_details"] == {"reason": reason}
    assert [item["status"] for item in response["output"]] == ["incomplete"]
    assert "completed_at" not in response
    assert body_of(whole({"content": "Hel"}, finish)) == response


async def test_a_refusal_is_a_part_of_the_message() -> None:
    events = await events_of([chunk({"refusal": "I "}), chunk({"refusal": "won't"}, "stop")])
    [message] = final(events)["output"]
    assert message["content"] == [{"type": "refusal", "refusal": "I won't"}]
    assert kinds(events).count("refusal.delta") == 2


async def test_an_empty_answer_is_an_empty_text() -> None:
    [message] = final(await events_of([chunk({}, "stop")]))["output"]
    assert message["content"][0]["text"] == ""
    assert final(await events_of())["output"][0]["content"][0]["text"] == ""


async def test_probabilities_are_told_with_their_tokens() -> None:
    one = {"token": "é", "logprob": -0.5, "bytes": None}
    given_ = {"content": [{**one, "top_logprobs": [{**one, "token": "e"}]}, "no token"]}
    piece = chunk({"content": "é"}, "stop")
    piece.choices[0].logprobs = given_
    events = await events_of([piece], include=["message.output_text.logprobs"])
    [part] = final(events)["output"][0]["content"]
    [token] = part["logprobs"]
    assert (token["bytes"], token["top_logprobs"][0]["bytes"]) == ([0xC3, 0xA9], [0x65])
    [delta] = [e for e in events if e["type"].endswith("text.delta")]
    assert delta["logprobs"][0] == {
        "token": "é", "logprob": -0.5, "top_logprobs": [{"token": "e", "logprob": -0.5}]
    }  # fmt: skip


async def test_a_stream_that_breaks_off_ends_with_an_error_and_what_came() -> None:
    made, pieces = shape(), []

    async def breaking() -> Any:
        yield [chunk({"content": "Hel"})]
        raise UpstreamFailed("it broke off")

    try:
        async for piece in made.events(breaking(), Told()):
            pieces.append(piece)  # noqa: PERF401 (those before the error are wanted)
    except UpstreamFailed as broken:
        pieces.append(made.problem_event(broken, "req_1"))
    events = read(b"".join(pieces).decode())
    error, failed = events[-2:]
    assert (error["type"], error["message"], error["error"]["code"]) == (
        "error", "it broke off", "all_backends_failed"
    )  # fmt: skip
    assert failed["type"] == "response.failed"
    response = failed["response"]
    assert response["status"] == "failed"
    assert response["error"]["message"] == "it broke off"
    assert response["output"][0]["content"][0]["text"] == "Hel"
    assert response["output"][0]["status"] == "incomplete"


def test_a_stream_that_never_began_fails_like_any_other() -> None:
    event = shape().problem_event(UpstreamFailed("no"), "req_1")
    assert event.startswith(b'data: {"error":')


async def test_an_endless_answer_is_ended() -> None:
    big = chunk({"content": "x" * (1 << 20)})
    with pytest.raises(UpstreamFailed) as told:
        await events_of(*[[big]] * 17)
    assert told.value.code == "reply_too_large"


def test_a_body_tells_usage_that_only_the_books_have() -> None:
    body = body_of(whole({"content": "hi"}), Told("asked", Usage.of(3, 4)))
    assert body["usage"]["input_tokens"] == 3
    assert body["model"] == "m-1"


# --------------------------------------------------- streams and bodies, the same

text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)


@st.composite
def calls(draw: st.DrawFn) -> list[Json]:
    """Deltas of some calls, mixed; each call is named by its first fragment or a later one."""
    deltas: list[list[Json]] = []
    for index in range(draw(st.integers(0, 3))):
        fragments = [call(index, arguments=piece) for piece in draw(st.lists(text, max_size=3))]
        named = call(index, id=f"call_{index}", name=draw(text))
        fragments.insert(draw(st.integers(0, len(fragments))), named)
        deltas.append(fragments)
    mixed: list[Json] = []
    while any(deltas):
        one = draw(st.sampled_from([fragments for fragments in deltas if fragments]))
        mixed.append(one.pop(0))
    return mixed


@st.composite
def answers(draw: st.DrawFn) -> list[Json]:
    """Deltas of an answer in the order in which models give them."""
    thoughts = [{"reasoning_content": piece} for piece in draw(st.lists(text, max_size=3))]
    texts = [{"content": piece} for piece in draw(st.lists(text, max_size=4))]
    refusals = [{"refusal": piece} for piece in draw(st.lists(text, max_size=1))]
    return [*thoughts, *texts, *refusals, *draw(calls())]


def by_first_mention(output: list[Json]) -> list[Json]:
    """Items without their places: calls stand in the order in which they were named."""
    return sorted(({**item, "id": ""} for item in output), key=repr)


@settings(deadline=None)
@given(
    answers(),
    st.sampled_from(["stop", "length", "tool_calls", "content_filter", None]),
    st.booleans(),
    st.integers(1, 4),
    st.booleans(),
)
def test_the_end_of_a_stream_is_the_body_of_the_same_answer(
    deltas: list[Json], finish: str | None, counted: bool, size: int, sums_up: bool
) -> None:
    fields: Json = {"reasoning": {"summary": "auto"}} if sums_up else {}
    chunks = [chunk(delta) for delta in deltas] + [chunk({}, finish)]
    chunks += [usage_chunk(3, 2)] * counted
    batches = [chunks[at : at + size] for at in range(0, len(chunks), size)]
    events = asyncio.run(events_of(*batches, **fields))
    body = body_of(Chunk(raw=collect(chunks), whole=True), **fields)
    streamed = final(events)
    assert by_first_mention(streamed.pop("output")) == by_first_mention(body.pop("output"))
    assert streamed == body


fragment = st.one_of(
    text.map(lambda piece: {"content": piece}),
    text.map(lambda piece: {"reasoning_content": piece}),
    text.map(lambda piece: {"refusal": piece}),
    st.builds(
        call,
        st.integers(0, 2),
        id=st.none() | text,
        name=st.none() | text,
        arguments=st.none() | text,
    ),
)


@settings(deadline=None)
@given(st.lists(fragment, max_size=12))
def test_whatever_comes_is_told_in_good_order(deltas: list[Json]) -> None:
    """Each item is begun once, ended once, and what was told of it adds up to what it is."""
    events = asyncio.run(events_of([chunk(delta) for delta in deltas]))
    output = final(events)["output"]
    assert [e["item"] for e in events if e["type"].endswith("item.done")] != [] or not deltas
    for at, item in enumerate(output):
        own = [e for e in events if e.get("output_index") == at]
        assert own[0]["type"] == "response.output_item.added"
        assert own[-1] == {**own[-1], "type": "response.output_item.done", "item": item}
        told = "".join(e["delta"] for e in own if e["type"].endswith(".delta"))
        assert sorted(told) == sorted("".join(texts_of(item)))
    said = "".join(d.get("content", "") for d in deltas)
    assert "".join(texts(output, "output_text")) == said


def texts_of(item: Json) -> list[str]:
    if item["type"] == "function_call":
        return [item["arguments"]]
    parts = item.get("content") or item.get("summary") or []
    return [part.get("text") or part.get("refusal") or "" for part in parts]


def texts(output: list[Json], kind: str) -> list[str]:
    return [
        part["text"]
        for item in output
        for part in item.get("content") or []
        if part["type"] == kind
    ]


# ------------------------------------------------------- tools that ran here


class Ran(Told):
    """Who answered, with calls beside the chunks."""

    tool_lists: list[ToolListing] = []  # noqa: RUF012 (a struct copies it)
    tool_steps: list[ToolStep] = []  # noqa: RUF012


async def test_tools_that_ran_here_are_told_in_their_places() -> None:
    told = Ran(tool_lists=[ToolListing("wiki", (ToolSpec("look", "Looks", read_only=True),))])
    bad = ToolStep("call_2", "find", arguments="{}")

    async def coming() -> Any:
        yield [chunk({"content": "Let me see."})]
        told.tool_steps += [ToolStep("call_1", "look", "wiki", '{"at": 1}'), bad]
        yield []
        told.tool_steps[0].state, told.tool_steps[0].output = "completed", "dark"
        bad.state, bad.output, bad.error = "failed", "It broke", "failed"
        yield []
        yield [chunk({"content": "It is dark."}, "stop")]

    pieces = [piece async for piece in shape().events(coming(), told)]
    events = read(b"".join(pieces).decode())
    listing, before, look, find, after = final(events)["output"]
    assert [item["type"] for item in (listing, before, look, find, after)] == [
        "mcp_list_tools", "message", "mcp_call", "mcp_call", "message",
    ]  # fmt: skip
    assert listing["tools"][0]["name"] == "look"
    assert (look["server_label"], look["output"], look["error"]) == ("wiki", "dark", None)
    assert (find["server_label"], find["status"], find["output"]) == ("serve_app", "failed", None)
    assert find["error"]["content"][0]["text"] == "It broke"
    assert kinds(events).count("mcp_call.completed") == 1
    assert kinds(events).count("mcp_call.failed") == 1
    assert kinds(events).index("mcp_call_arguments.done") < kinds(events).index(
        "mcp_call.completed"
    )


async def test_a_call_that_was_cut_off_is_incomplete() -> None:
    told = Ran(tool_steps=[ToolStep("call_1", "look", "wiki", "{}")])
    [call, _] = final(await events_of([chunk({"content": "x"}, "length")], told=told))["output"]
    assert (call["status"], call["output"]) == ("incomplete", None)

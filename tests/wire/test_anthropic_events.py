"""Streams as Anthropic's events: well formed whatever comes, and nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_chunks import Told, batches, call, chunk, text_of, usage_chunk

from serve_app.core.errors import UpstreamFailed
from serve_app.core.types import Chunk, Usage
from serve_app.wire.anthropic import events as anthropic_events
from serve_app.wire.anthropic.events import Events

Event = dict[str, Any]


def events_of(*given_batches: list[Chunk], told: Told | None = None) -> list[Event]:
    made = Events(told or Told())
    stream = b"".join([*map(made.feed, given_batches), made.end()]).decode()
    found = []
    for event in stream.split("\n\n")[:-1]:
        name, data = event.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert name == f"event: {value['type']}"
        found.append(value)
    return found


def collected(events: list[Event]) -> list[Event]:
    """The blocks that events amount to, after checking that they are in order."""
    assert events[0]["type"] == "message_start"
    assert [e["type"] for e in events[-2:]] == ["message_delta", "message_stop"]
    blocks: list[Event] = []
    is_open = False
    for event in events[1:-2]:
        if event["type"] == "content_block_start":
            assert not is_open
            assert event["index"] == len(blocks)
            blocks.append({**event["content_block"], "partial_json": ""})
        else:
            assert is_open or event["type"] == "content_block_start"
            assert event["index"] == len(blocks) - 1
            if event["type"] == "content_block_delta":
                add(blocks[-1], event["delta"])
        is_open = event["type"] != "content_block_stop"
    assert not is_open
    return blocks


def add(block: Event, delta: Event) -> None:
    names = {
        "text_delta": ("text", "text"),
        "thinking_delta": ("thinking", "thinking"),
        "signature_delta": ("thinking", "signature"),
        "input_json_delta": ("tool_use", "partial_json"),
    }
    kind, field = names[delta["type"]]
    assert block["type"] == kind
    block[field] += delta[field]


def test_the_events_of_a_text() -> None:
    assert events_of(
        [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"})],
        [chunk({"content": "lo"}), chunk({}, "stop")],
        [usage_chunk(12, 3, prompt_tokens_details={"cached_tokens": 2})],
    ) == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_chatcmpl-1", "type": "message", "role": "assistant", "model": "m-1",
                "content": [], "stop_reason": None, "stop_sequence": None,
                "usage": {
                    "input_tokens": 0, "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0, "output_tokens": 0,
                },
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 10, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 2, "output_tokens": 3,
            },
        },
        {"type": "message_stop"},
    ]  # fmt: skip


def test_thinking_is_signed_before_it_ends() -> None:
    signed = {"reasoning_details": [{"type": "reasoning.text", "signature": "EqQB"}]}
    sealed = {"reasoning_details": [{"type": "reasoning.encrypted", "data": "EmwK"}]}
    events = events_of(
        [chunk({"reasoning_content": "Let me"}), chunk({"reasoning_content": " think."})],
        [chunk(signed), chunk(sealed), chunk({"content": "42"}), chunk({}, "stop")],
    )
    thinking, redacted, text = collected(events)
    assert (thinking["thinking"], thinking["signature"]) == ("Let me think.", "EqQB")
    assert redacted["data"] == "EmwK"
    assert text["text"] == "42"


def test_a_signature_holds_only_for_the_text_it_was_made_for() -> None:
    def signed(chars: int) -> Chunk:
        entry = {"type": "reasoning.text", "signature": f"s{chars}", "chars": chars}
        return chunk({"reasoning_details": [entry]})

    first, second, text = collected(
        events_of(
            [chunk({"reasoning_content": "[EMAIL]"}), signed(12)],
            [chunk({"reasoning_content": "Hm."}), signed(3), chunk({"content": "42"})],
        )
    )
    assert (first["thinking"], first["signature"]) == ("[EMAIL]", "")
    assert (second["thinking"], second["signature"]) == ("Hm.", "s3")
    assert text["text"] == "42"


def test_details_are_found_where_only_the_bytes_hold_them() -> None:
    made = chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "EqQB"}]})
    made.choices[0].delta.reasoning_details = None
    [thinking] = collected(events_of([made, chunk({}, "stop")]))
    assert (thinking["thinking"], thinking["signature"]) == ("", "EqQB")


def test_calls_follow_each_other_while_they_stream() -> None:
    made = Events(Told())
    first = made.feed([chunk(call(0, id="a", name="add", arguments=""))])
    assert b"content_block_start" in first
    assert b'{\\"x\\":' in made.feed([chunk(call(0, arguments='{"x":'))])
    made.feed([chunk(call(0, arguments="1}"))])
    second = made.feed([chunk(call(1, id="b", name="sub", arguments=""))])
    assert second.index(b"content_block_stop") < second.index(b"content_block_start")


def test_mixed_up_calls_are_told_apart() -> None:
    events = events_of(
        [chunk({"content": "Let me see."})],
        [chunk(call(0, id="a", name="add")), chunk(call(1, id="b", name="sub"))],
        [
            chunk(call(1, arguments='{"y"')),
            chunk(call(0, arguments='{"x":')),
            chunk({"content": "!"}),
        ],
        [chunk(call(0, arguments="1}")), chunk(call(1, arguments=":2}"))],
        [chunk({}, "tool_calls")],
    )
    text, add_call, sub_call, late = collected(events)
    assert text["text"] == "Let me see."
    assert (add_call["id"], add_call["name"], add_call["partial_json"]) == ("a", "add", '{"x":1}')
    assert (sub_call["id"], sub_call["name"], sub_call["partial_json"]) == ("b", "sub", '{"y":2}')
    assert late["text"] == "!"
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_name_that_comes_late_is_waited_for() -> None:
    [made] = collected(
        events_of(
            [chunk(call(0, id="a", arguments='{"x"')), chunk(call(0, name="add"))],
            [chunk(call(0, arguments=":1}")), chunk({}, "tool_calls")],
        )
    )
    assert (made["name"], made["partial_json"]) == ("add", '{"x":1}')


def test_a_call_without_an_id_gets_one() -> None:
    [made] = collected(events_of([chunk(call(0, name="add", arguments="{}"))]))
    assert made["id"].startswith("toolu_")


def test_nothing_is_a_message_too() -> None:
    events = events_of(told=Told("small", Usage(3, 0, 3)))
    assert collected(events) == []
    assert events[0]["message"]["model"] == "small"
    assert events[-2]["usage"]["input_tokens"] == 3


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_events, "MAX_HELD", 1000)
    made = Events(Told())
    made.feed([chunk(call(0, id="a", name="add", arguments="{"))])
    with pytest.raises(UpstreamFailed):
        made.feed([chunk({"content": "x" * 100})] * 100)


async def test_a_stream_that_fails_has_no_end() -> None:
    async def failing() -> Any:
        yield [chunk({"content": "Hel"})]
        raise UpstreamFailed("gone")

    seen: list[bytes] = []

    async def read() -> None:
        async for piece in anthropic_events.events(failing(), Told()):
            seen[:] = [*seen, piece]

    with pytest.raises(UpstreamFailed):
        await read()
    assert b"Hel" in b"".join(seen)
    assert b"message_stop" not in b"".join(seen)
    assert "message_stop" in await text_of(anthropic_events.events(batches([]), Told()))


# ----------------------------------------------------------------- property

arguments = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=8), max_size=3)
texts = st.text(min_size=1, max_size=8)


@st.composite
def replies(draw: st.DrawFn) -> tuple[list[Event], str, str, list[str]]:
    """Deltas in any order that keeps each text's own, and what they add up to."""
    content, thought = draw(st.lists(texts, max_size=5)), draw(st.lists(texts, max_size=4))
    calls = [json.dumps(value) for value in draw(st.lists(arguments, max_size=4))]
    streams: list[list[Event]] = [
        [{"content": text} for text in content],
        [{"reasoning_content": text} for text in thought],
    ]
    for index, whole in enumerate(calls):
        cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4)))
        pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        first = call(index, id=f"c{index}", name=f"f{index}", arguments=pieces[0])
        streams.append([first, *(call(index, arguments=piece) for piece in pieces[1:])])
    order = draw(st.permutations([n for n, stream in enumerate(streams) for _ in stream]))
    remaining = [iter(stream) for stream in streams]
    return [next(remaining[n]) for n in order], "".join(content), "".join(thought), calls


@given(replies(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_any_order_of_chunks_is_told_in_order_and_whole(
    reply: tuple[list[Event], str, str, list[str]], rng: Any
) -> None:
    deltas, content, thought, calls = reply
    chunks = [*map(chunk, deltas), chunk({}, "stop"), usage_chunk(1, 1)]
    split: list[list[Chunk]] = [[]]
    for made in chunks:
        split[-1].append(made)
        if rng.random() < 0.5:
            split.append([])
    blocks = collected(events_of(*split))
    assert "".join(b["text"] for b in blocks if b["type"] == "text") == content
    assert "".join(b["thinking"] for b in blocks if b["type"] == "thinking") == thought
    used = [b for b in blocks if b["type"] == "tool_use"]
    assert sorted((b["id"], b["name"], b["partial_json"]) for b in used) == [
        (f"c{n}", f"f{n}", whole) for n, whole in enumerate(calls)
    ]

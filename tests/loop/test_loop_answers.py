"""Answers of the model as the loop reads them: calls as providers send them, and how they end."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from serve_app.core.errors import UpstreamFailed
from serve_app.core.types import Chunk, Usage
from serve_app.loop.ending import split, with_usage, without_calls
from serve_app.loop.said import Hearing, whole_said
from serve_app.loop.seam import Seam
from serve_app.loop.total import usage_sum


def chunk(
    delta: dict[str, Any], finish: str | None = None, *, id_: str = "a", **more: Any
) -> Chunk:
    value = {
        "id": id_, "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more,
    }  # fmt: skip
    raw = msgspec.json.encode(value)
    made = msgspec.json.decode(raw, type=Chunk)
    made.raw = raw
    return made


def call(index: int, name: str, arguments: str, **more: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "type": "function", "function": function, **more}


def deltas(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [json.loads(one.raw)["choices"][0]["delta"] for one in chunks]


def test_calls_without_ids_get_some_that_differ_from_answer_to_answer() -> None:
    hearing = Hearing(step=3)
    hearing.add(chunk({"tool_calls": [call(0, "a", "{}"), call(1, "b", "")]}, "tool_calls"))
    assert [one["id"] for one in hearing.said().calls] == ["call_3_1", "call_3_2"]
    message = {"tool_calls": [{"function": {"name": "a", "arguments": None}}]}
    raw = msgspec.json.encode({"choices": [{"message": message}]})
    [found] = whole_said(Chunk(raw=raw, whole=True), 2).calls
    assert (found["id"], found["type"], found["function"]["arguments"]) == (
        "call_2_1", "function", "",
    )  # fmt: skip


def test_what_the_provider_wants_back_is_kept() -> None:
    signed = {"google": {"thought_signature": "xyz"}}
    hearing = Hearing(step=1)
    hearing.add(chunk({"reasoning_content": "Hm.", "reasoning_details": [{"a": 1}]}))
    hearing.add(chunk({"tool_calls": [call(0, "f", '{"a"', id="c", extra_content=signed)]}))
    hearing.add(chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}))
    hearing.add(chunk({"reasoning_details": [{"b": 2}]}, "tool_calls"))
    said = hearing.said()
    assert said.message(said.calls) == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Hm.",
        "reasoning_details": [{"a": 1}, {"b": 2}],
        "tool_calls": [
            {
                "id": "c",
                "type": "function",
                "extra_content": signed,
                "function": {"name": "f", "arguments": '{"a":1}'},
            }
        ],
    }


def test_an_answer_too_long_to_hold_is_given_up() -> None:
    hearing = Hearing(step=1)
    piece = chunk({"content": "x" * 1_000_000})
    for _ in range(4):
        hearing.add(piece)
    with pytest.raises(UpstreamFailed, match="too long"):
        hearing.add(piece)


def test_a_chunk_of_text_goes_out_as_it_came() -> None:
    one = chunk({"content": "hello"})
    assert split(one).now is one
    assert split(one).later is None


def test_text_that_comes_with_a_call_or_the_end_does_not_wait_for_it() -> None:
    used = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    parts = split(chunk({"content": "hi", "tool_calls": [call(0, "f", "{}")]}, "stop", usage=used))
    assert parts.now is not None
    assert parts.later is not None
    assert deltas([parts.now]) == [{"content": "hi"}]
    assert (parts.now.usage, parts.now.choices[0].finish_reason) == (None, None)
    assert parts.later.choices[0].finish_reason == "stop"
    assert parts.later.usage is not None
    assert list(deltas([parts.later])[0]) == ["tool_calls"]


def test_calls_that_are_left_are_numbered_anew() -> None:
    ending = [
        chunk({"tool_calls": [call(0, "here", "")]}),
        chunk({"tool_calls": [call(1, "own", "{")]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chunk({"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]}),
        chunk({}, "tool_calls"),
    ]
    left = without_calls(ending, {0})
    calls = [delta["tool_calls"][0] for delta in deltas(left) if delta.get("tool_calls")]
    assert [one["index"] for one in calls] == [0, 0]
    assert "".join(one["function"]["arguments"] for one in calls) == "{}"
    assert left[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("finish", "told"),
    [("tool_calls", "length"), ("stop", "length"), ("content_filter", "content_filter")],
)
def test_an_answer_whose_calls_are_dropped_says_that_it_is_not_whole(
    finish: str, told: str
) -> None:
    [end] = without_calls([chunk({"tool_calls": [call(0, "here", "{}")]}, finish)], {0})
    assert end.choices[0].finish_reason == told
    assert end.choices[0].delta.tool_calls is None


def test_later_answers_continue_the_first_and_leave_what_others_keep_alone() -> None:
    seam = Seam(parts=True)
    first = chunk({"role": "assistant", "content": "One."})
    assert seam.joined(first) is first
    seam.next_step()
    assert seam.joined(chunk({"role": "assistant", "content": ""}, id_="b")) is None
    second = chunk({"role": "assistant", "content": "Two."}, id_="b")
    before = bytes(second.raw)
    joined = [seam.joined(second), seam.joined(chunk({"content": " More."}, id_="b"))]
    assert all(one is not None for one in joined)
    assert deltas([one for one in joined if one]) == [
        {"content": "\n\nTwo."},
        {"content": " More."},
    ]
    assert {one.id for one in joined if one} == {"a"}
    assert (bytes(second.raw), second.id) == (before, "b")


def test_a_role_that_has_not_been_told_is_told() -> None:
    seam = Seam(parts=True)
    seam.next_step()
    told = seam.joined(chunk({"role": "assistant", "content": ""}))
    assert told is not None
    assert deltas([told])[0]["role"] == "assistant"


def test_usage_is_the_sum_with_its_details() -> None:
    one = Usage(1, 2, 3, {"cached_tokens": 1}, None)
    two = Usage(10, 20, 30, {"cached_tokens": 5, "audio_tokens": 2}, {"reasoning_tokens": 7})
    total = usage_sum(one, two)
    assert total == Usage(
        11, 22, 33, {"cached_tokens": 6, "audio_tokens": 2}, {"reasoning_tokens": 7}
    )
    assert usage_sum(None, two) is two
    told = with_usage(chunk({}, usage={"prompt_tokens": 10, "x": 1}), total)
    assert json.loads(told.raw)["usage"]["prompt_tokens"] == 11
    assert json.loads(told.raw)["usage"]["x"] == 1

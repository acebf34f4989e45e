"""Requests: what is accepted, what is refused and with which field named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serve_app.core.errors import BadRequest
from serve_app.core.types import Message
from serve_app.wire import openai

HELLO = [{"role": "user", "content": "hello"}]


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "auto", "messages": HELLO, **fields}).encode()


def test_unknown_fields_pass_through_untouched() -> None:
    raw = b'{"model":"auto","messages":[{"role":"user","content":"hi"}],"x_new":{"b":1.50,"a":[1]}}'
    request = openai.decode(raw)
    assert b'"x_new":{"b":1.50,"a":[1]}' in request.body(model=b'"m"')


def test_a_changed_field_replaces_the_old_one_once() -> None:
    sent = json.loads(openai.decode(body()).body(model=b'"gpt-4o"'))
    assert sent["model"] == "gpt-4o"
    assert sent["messages"] == HELLO


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": ""}, "model"),
        ({"messages": "hello"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [*HELLO, {"role": "user", "content": 7}]}, "messages[1].content"),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "messages[0].content[0].type",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 2.5}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 1.5}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stop": 3}, "stop"),
        ({"tools": {}}, "tools"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        openai.decode(body(**fields))
    assert refused.value.param == param


def test_a_missing_field_is_named() -> None:
    with pytest.raises(BadRequest) as refused:
        openai.decode(b'{"model": "auto"}')
    assert refused.value.param == "messages"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'{"model": "a", "messages": [}', b"[" * 100_000],
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        openai.decode(raw)


def test_invalid_utf8_is_refused_even_in_a_field_nobody_reads() -> None:
    raw = body(note="MARK").replace(b"MARK", b"\xff\xfe")
    with pytest.raises(BadRequest) as refused:
        openai.decode(raw)
    assert refused.value.code == "invalid_encoding"


def test_null_counts_as_absent_where_openai_says_so() -> None:
    request = openai.decode(body(temperature=None, stream=None, tools=None, stop=None))
    assert not request.streaming


def test_texts_are_replaced_in_place_and_images_stay() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content = [{"type": "text", "text": "mail a@b.co"}, image, {"type": "text", "text": "bye"}]
    messages = [{"role": "system", "content": "be nice"}, {"role": "user", "content": content}]
    request = openai.decode(body(messages=messages))
    texts = openai.texts_of(request, "t")
    assert texts.texts == ("be nice", "mail a@b.co", "bye")
    assert texts.places == ("system", "input", "input")
    changed = json.loads(openai.with_texts(request, ("be nice", "mail ***", "bye")).body())
    assert changed["messages"][1]["content"] == [
        {"type": "text", "text": "mail ***"}, image, {"type": "text", "text": "bye"},
    ]  # fmt: skip


def test_arguments_of_tool_calls_are_texts_too() -> None:
    called = [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": "x"}'}},
        {"id": "2", "type": "function", "function": {"name": "g", "arguments": ""}},
        {"id": "3", "type": "function", "function": {"name": "h", "arguments": '{"b": 1}'}},
    ]
    messages = [
        {"role": "developer", "content": "be nice"},
        {"role": "assistant", "content": "let me see", "tool_calls": called},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
        {"role": "assistant", "content": None, "tool_calls": called[:1]},
    ]
    request = openai.decode(body(messages=messages))
    texts = openai.texts_of(request, "t", "/v1/chat/completions", (("<A_1>", "x"),))
    assert texts.texts == ("be nice", "let me see", '{"a": "x"}', '{"b": 1}', "sunny", '{"a": "x"}')
    assert texts.places == (
        "system", "history", "tool_arguments", "tool_arguments", "tool_results", "tool_arguments",
    )  # fmt: skip
    assert (texts.path, texts.names) == ("/v1/chat/completions", (("<A_1>", "x"),))
    changed = openai.with_texts(request, tuple(f"{n}" for n in range(6)))
    assert openai.texts_of(changed, "t").texts == ("0", "1", "2", "3", "4", "5")
    said = json.loads(changed.body())["messages"]
    assert [call["function"]["arguments"] for call in said[1]["tool_calls"]] == ["2", "", "3"]


@pytest.mark.parametrize(
    ("content", "after"),
    [
        ("be nice", "be nice\n\nA word."),
        ("", "A word."),
        ([{"type": "text", "text": "b"}], [{"type": "text", "text": t} for t in ("b", "A word.")]),
    ],
)
def test_a_canary_stands_at_the_end_of_the_system_prompt(content: Any, after: Any) -> None:
    messages = [{"role": "system", "content": content}, {"role": "user", "content": "hi"}]
    changed = openai.with_canary(openai.decode(body(messages=messages)), "A word.")
    assert json.loads(changed.body())["messages"] == [
        {"role": "system", "content": after}, messages[1],
    ]  # fmt: skip
    alone = openai.decode(body(messages=messages[1:]))
    assert openai.with_canary(alone, "A word.") == alone


def test_needs_are_read_off_the_request() -> None:
    content = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    request = openai.decode(
        body(
            messages=[{"role": "user", "content": content}],
            tools=[{"type": "function", "function": {"name": "f"}}],
            n=2,
            logprobs=True,
            response_format={"type": "json_schema", "json_schema": {}},
        )
    )
    assert set(openai.needs_of(request)) == {"tools", "n", "logprobs", "json_schema", "vision"}
    assert openai.needs_of(openai.decode(body())) == ()


def test_our_own_messages_carry_no_empty_fields() -> None:
    request = openai.from_messages("auto", [Message(role="user", content="hi")], stream=True)
    assert json.loads(request.body()) == {
        "model": "auto",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
    }
    assert request.streaming

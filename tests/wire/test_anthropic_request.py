"""Anthropic's requests, in the shapes of its documentation, as canonical ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatRequest
from serve_app.wire import openai
from serve_app.wire.anthropic import request as anthropic
from serve_app.wire.anthropic.count import countable

HELLO = [{"role": "user", "content": "Hello, Claude"}]
CACHED = {"type": "ephemeral", "ttl": "1h"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "The weather", "input_schema": SCHEMA}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def decode(**fields: Any) -> ChatRequest:
    body = {"model": "claude", "max_tokens": 100, "messages": HELLO, **fields}
    return anthropic.decode(json.dumps(body).encode())


def canonical(**fields: Any) -> dict[str, Any]:
    request = decode(**fields)
    sent: dict[str, Any] = json.loads(request.body())
    assert openai.decode(request.body()).params == request.params, "view and fields differ"
    return sent


def messages(*turns: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = canonical(messages=list(turns), **fields)["messages"]
    return made


# ---------------------------------------------------------------- top level


def test_the_same_question_is_the_same_request_in_both_apis() -> None:
    assert canonical() == {"model": "claude", "max_tokens": 100, "messages": HELLO}


def test_every_field_has_its_place() -> None:
    sent = canonical(
        stop_sequences=["END", "a"],
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        metadata={"user_id": "u-1"},
        stream=True,
    )
    assert sent == {
        "model": "claude", "max_tokens": 100, "messages": HELLO, "temperature": 0.5, "top_p": 0.9,
        "top_k": 40, "stop": ["END", "a"], "user": "u-1", "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip


def test_there_may_be_more_stop_sequences_than_in_openais_api() -> None:
    assert decode(stop_sequences=list("abcdef")).params.stop == list("abcdef")


def test_fields_that_mean_nothing_elsewhere_are_left_out() -> None:
    sent = canonical(
        service_tier="auto",
        context_management={"edits": []},
        container=None,
        inference_geo="us",
        cache_control=CACHED,
        x_new=1,
    )
    assert sent.keys() == {"model", "max_tokens", "messages"}


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 32_000}}, "high"),
        ({"thinking": {"type": "adaptive"}}, "medium"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, "high"),
        ({"output_config": {"effort": "low"}}, "low"),
        ({"output_config": {"effort": "max"}}, "xhigh"),
        ({"thinking": {"type": "disabled"}}, None),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, None),
    ],
)
def test_thinking_is_an_effort(fields: dict[str, Any], effort: str | None) -> None:
    request = decode(**fields)
    assert request.params.reasoning_effort == effort
    assert ("reasoning" in openai.needs_of(request)) == (effort is not None)


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
    ],
)
def test_a_schema_of_the_answer_is_a_response_format(fields: dict[str, Any]) -> None:
    assert canonical(**fields)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }


# -------------------------------------------------------------------- tools


def test_tools_are_functions() -> None:
    custom = {**WEATHER, "type": "custom", "strict": True, "cache_control": CACHED}
    assert canonical(tools=[WEATHER, custom])["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "get_weather", "description": "The weather", "parameters": SCHEMA,
            },
        },
        {
            "type": "function",
            "function": {
                "name": "get_weather", "description": "The weather", "parameters": SCHEMA,
                "strict": True,
            },
            "cache_control": CACHED,
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "canonical_choice"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        (
            {"type": "tool", "name": "get_weather"},
            {"type": "function", "function": {"name": "get_weather"}},
        ),
    ],
)
def test_the_choice_of_a_tool(choice: dict[str, Any], canonical_choice: Any) -> None:
    sent = canonical(tools=[WEATHER], tool_choice=choice)
    assert sent["tool_choice"] == canonical_choice
    assert "parallel_tool_calls" not in sent
    one = canonical(tools=[WEATHER], tool_choice={**choice, "disable_parallel_tool_use": True})
    assert one["parallel_tool_calls"] is False


# ----------------------------------------------------------------- messages


def test_system_is_the_first_message() -> None:
    assert messages(*HELLO, system="be nice")[0] == {"role": "system", "content": "be nice"}
    assert messages(*HELLO, system=[text("be nice")])[0]["content"] == "be nice"
    assert messages(*HELLO, system=[text("a"), text("b", cache_control=CACHED)])[0] == {
        "role": "system",
        "content": [text("a"), text("b", cache_control=CACHED)],
    }
    assert messages(*HELLO, system="") == HELLO
    assert messages(*HELLO, {"role": "system", "content": [text("now in French")]})[1] == {
        "role": "system",
        "content": "now in French",
    }


def test_texts_and_images_are_parts() -> None:
    url = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    [message] = messages(
        {"role": "user", "content": [PNG, {**url, "cache_control": CACHED}, text("what is it?")]}
    )
    assert message["content"] == [
        PNG_PART,
        {
            "type": "image_url",
            "image_url": {"url": "https://example.com/a.png"},
            "cache_control": CACHED,
        },
        text("what is it?"),
    ]
    assert "vision" in openai.needs_of(decode(messages=[{"role": "user", "content": [PNG]}]))


def test_a_tool_loop() -> None:
    thinking = {"type": "thinking", "thinking": "I should look.", "signature": "EqQB"}
    use = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Köln"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}
    failed = {
        "type": "tool_result", "tool_use_id": "toolu_2", "content": [text("no"), text("such city")],
        "is_error": True,
    }  # fmt: skip
    sealed = {"type": "redacted_thinking", "data": "EmwK"}
    assert messages(
        HELLO[0],
        {"role": "assistant", "content": [thinking, sealed, text("Let me see."), use]},
        {"role": "user", "content": [result, failed, text("and now?")]},
        tools=[WEATHER],
    )[1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "reasoning_content": "I should look.",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "I should look.", "signature": "EqQB"},
                {"type": "reasoning.encrypted", "data": "EmwK"},
            ],
            "tool_calls": [
                {
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Köln"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
        {
            "role": "tool", "tool_call_id": "toolu_2", "is_error": True,
            "content": [text("no"), text("such city")],
        },
        {"role": "user", "content": "and now?"},
    ]  # fmt: skip


def test_an_image_of_a_result_follows_as_the_user() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "shot", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [PNG]}
    made = messages(
        HELLO[0],
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    )
    assert made[1]["content"] is None
    assert made[2]["role"] == "tool"
    assert made[2]["content"]
    assert made[3] == {
        "role": "user",
        "content": [text("Image of the result of toolu_1:"), PNG_PART],
    }


def test_a_cached_result_keeps_its_mark() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x", "cache_control": CACHED}
    [tool] = messages({"role": "user", "content": [result]})
    assert tool["content"] == [text("x", cache_control=CACHED)]


def test_an_empty_result_is_an_empty_text() -> None:
    [tool] = messages({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]})
    assert tool["content"] == ""


def test_redacted_texts_reach_every_kind_of_block() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text("a@b.co")]}
    request = decode(
        system=[text("s1"), text("s2", cache_control=CACHED)],
        messages=[{"role": "user", "content": [result, PNG, text("c@d.co")]}],
    )
    assert openai.texts_of(request, "t").texts == ("s1", "s2", "a@b.co", "c@d.co")
    changed = openai.with_texts(request, ("1", "2", "3", "4"))
    assert openai.texts_of(changed, "t").texts == ("1", "2", "3", "4")
    assert json.loads(changed.body())["messages"][0]["content"][1]["cache_control"] == CACHED


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [], "system": "x"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
        ),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
            "messages[0].content[0].source.type",
        ),
        (
            {"messages": [{"role": "user", "content": [text("x"), {
                "type": "tool_use", "id": "a", "name": "n", "input": {}}]}]},
            "messages[0].content[1]",
        ),
        (
            {"messages": [*HELLO, {"role": "assistant", "content": [
                {"type": "tool_result", "tool_use_id": "a"}]}]},
            "messages[1].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": ""}]}]},
            "messages[0].content[0].tool_use_id",
        ),
        ({"system": [PNG]}, "system[0].type"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name"),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
        ({"stream": 1}, "stream"),
    ],
)  # fmt: skip
def test_the_field_at_fault_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decode(**fields)
    assert refused.value.param == param


def test_a_document_is_refused_with_the_way_out() -> None:
    with pytest.raises(BadRequest, match="send documents as text"):
        decode(messages=[{"role": "user", "content": [{"type": "document"}]}])


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"model": "a\xff"}', b"[" * 100_000])
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        anthropic.decode(raw)


# ------------------------------------------------------------------ counting


def test_everything_that_is_read_counts() -> None:
    use = {"type": "tool_use", "id": "t", "name": "get_weather", "input": {"city": "Rome"}}
    turns = [*HELLO, {"role": "assistant", "content": [use]}, {"role": "user", "content": [PNG]}]
    body = {"model": "m", "system": "be nice", "messages": turns, "tools": [WEATHER]}
    texts = countable(anthropic.decode_count(json.dumps(body).encode()))
    assert texts[:2] == ["be nice", "Hello, Claude"]
    assert "get_weather" in texts
    assert texts.count('{"city":"Rome"}') == 1
    assert any("The weather" in counted for counted in texts)
    assert sum(map(len, texts)) > 6000, "an image counts"

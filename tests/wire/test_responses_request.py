"""Requests for responses as chat requests; what cannot be is refused with its field's name."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from responses_world import asked, body_of
from wire_chunks import whole

from serve_app.core.errors import BadRequest
from serve_app.wire.responses.fields import ResponsesRequest
from serve_app.wire.responses.ids import input_id, new_response_id, output_id, response_of
from serve_app.wire.responses.items import MessageItem
from serve_app.wire.responses.request import decode
from serve_app.wire.responses.sealed import opened, sealed

Json = dict[str, Any]

LOOK: Json = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}
FIND: Json = {"type": "function", "name": "find", "parameters": None, "description": "Finds"}
MCP: Json = {
    "type": "mcp", "server_label": "wiki", "server_url": "https://mcp.example.com",
    "authorization": "secret",
}  # fmt: skip


def chat(**fields: Any) -> Json:
    """The body of the chat request."""
    body: Json = json.loads(asked(**fields).chat().body())
    return body


def messages(*items: Any, **fields: Any) -> list[Json]:
    said: list[Json] = chat(input=list(items), **fields)["messages"]
    return said


def refused(**fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as error:
        asked(**fields)
    return error.value


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


# ----------------------------------------------------------------- input


def test_a_text_and_instructions() -> None:
    assert chat(instructions="be nice") == {
        "model": "m",
        "messages": [{"role": "system", "content": "be nice"}, user("hello")],
    }
    assert asked(instructions="be nice").instructions == 1
    assert asked().instructions == 0


def test_parts_of_a_message() -> None:
    parts = [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
        {"type": "input_file", "file_data": "data:text/plain;base64,YQ==", "filename": "a.txt"},
    ]
    [message] = messages({"type": "message", **user(parts)})
    assert message["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {
            "type": "file",
            "file": {"file_data": "data:text/plain;base64,YQ==", "filename": "a.txt"},
        },
    ]
    assert messages(user([{"type": "input_text", "text": "alone"}])) == [user("alone")]


def test_one_answer_of_several_items_is_one_message() -> None:
    details = [{"type": "reasoning.text", "text": "Hm", "signature": "EqQB"}]
    said = messages(
        user("what is there?"),
        {
            "type": "reasoning", "id": "rs_1", "summary": [],
            "content": [{"type": "reasoning_text", "text": "Hm"}],
            "encrypted_content": sealed(details),
        },
        {
            "type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
            "content": [{"type": "output_text", "text": "Let me see.", "annotations": []}],
        },
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "find", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "dark"},
        {"type": "function_call_output", "call_id": "c2", "output": "nothing"},
        user("and now?"),
        tools=[LOOK, FIND],
    )  # fmt: skip
    assert [message["role"] for message in said] == ["user", "assistant", "tool", "tool", "user"]
    answer = said[1]
    assert (answer["content"], answer["reasoning_content"]) == ("Let me see.", "Hm")
    assert answer["reasoning_details"] == details
    assert [call["id"] for call in answer["tool_calls"]] == ["c1", "c2"]
    assert said[2] == {"role": "tool", "tool_call_id": "c1", "content": "dark"}


def test_two_answers_are_two_messages() -> None:
    said = messages(
        {"role": "assistant", "content": "one"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "two"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "so"}]},
    )
    assert [m["content"] for m in said] == ["one", "two", ""]
    assert said[2]["reasoning_content"] == "so"


def test_images_of_a_result_follow_as_a_users() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    image = {"type": "input_image", "image_url": "https://example.com/a.png"}
    result = {"type": "function_call_output", "call_id": "c1", "output": [image]}
    said = messages(call, result, {"role": "assistant", "content": "a cat"})
    assert [message["role"] for message in said] == ["assistant", "tool", "user", "assistant"]
    assert [part["type"] for part in said[2]["content"]] == ["text", "image_url"]


def test_calls_that_the_gateway_made_are_calls_and_results() -> None:
    ran = {
        "type": "mcp_call", "id": "mcp_1", "server_label": "wiki", "name": "look",
        "arguments": "{}", "output": "dark", "status": "completed",
    }  # fmt: skip
    listing = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "wiki", "tools": []}
    call, result = messages(listing, ran)
    assert call["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
    assert result == {"role": "tool", "tool_call_id": "mcp_1", "content": "dark"}
    failed = {**ran, "output": None, "error": {"type": "mcp_tool_execution_error"}}
    assert messages(failed)[1]["content"] == "It failed"


def test_references_wait_for_what_is_stored() -> None:
    request = asked(input=[user("a"), {"id": "msg_1"}, {"type": "item_reference", "id": "fc_1"}])
    assert request.references() == ["msg_1", "fc_1"]
    with pytest.raises(BadRequest) as error:
        request.chat()
    assert (error.value.param, error.value.code) == ("input[1].id", "not_found")


# --------------------------------------------------------------- the rest


def test_fields_of_other_names() -> None:
    sent = chat(
        max_output_tokens=9, temperature=0.5, top_p=0.9, reasoning={"effort": "max"}, user="u",
        safety_identifier="s", prompt_cache_key="k", service_tier="flex", top_logprobs=2,
        text={"verbosity": "low", "format": {
            "type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True,
        }},
        stream=True, metadata={"a": "b"}, store=False, truncation="auto",
    )  # fmt: skip
    del sent["messages"]
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    assert sent == {
        "model": "m", "max_completion_tokens": 9, "temperature": 0.5, "top_p": 0.9, "user": "u",
        "safety_identifier": "s", "prompt_cache_key": "k", "service_tier": "flex",
        "logprobs": True, "top_logprobs": 2, "reasoning_effort": "xhigh", "verbosity": "low",
        "response_format": {"type": "json_schema", "json_schema": schema},
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip


def test_tools_and_the_choice_among_them() -> None:
    sent = chat(tools=[LOOK, FIND, MCP], tool_choice="required", parallel_tool_calls=False)
    look, find, mcp = sent["tools"]
    assert look["function"] == {"name": "look", "parameters": {"type": "object"}, "strict": True}
    assert find["function"]["parameters"] == {"type": "object", "properties": {}}
    assert mcp == MCP
    assert sent["stream"] is True
    assert "stream" not in chat(tools=[LOOK])
    assert chat(tools=[MCP], max_tool_calls=3)["max_tool_calls"] == 3
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ("required", False)
    named = chat(tools=[LOOK, FIND], tool_choice={"type": "function", "name": "find"})
    assert named["tool_choice"] == {"type": "function", "function": {"name": "find"}}


def test_only_allowed_tools_are_sent() -> None:
    allowed = {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "look"}],
    }
    sent = chat(tools=[LOOK, FIND], tool_choice=allowed)
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["look"]
    assert sent["tool_choice"] == "auto"


def test_the_response_repeats_its_request() -> None:
    fields: Json = {
        "instructions": "be nice", "tools": [LOOK, MCP], "tool_choice": "auto",
        "metadata": {"a": "b"}, "temperature": 0.5,
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"}, "max_output_tokens": 5, "user": "u",
        "conversation": {"id": "conv_1"}, "store": False,
    }  # fmt: skip
    body = body_of(whole({"content": "hi"}), **fields)
    same = ("instructions", "tool_choice", "metadata", "temperature", "text", "reasoning", "user")
    assert {name: body[name] for name in same} == {name: fields[name] for name in same}
    assert body["conversation"] == {"id": "conv_1"}
    assert body["store"] is False
    assert body["tools"][0] == LOOK
    assert "authorization" not in body["tools"][1]


FILE: Json = {"file_id": "f"}
CALL: Json = {"type": "function_call", "call_id": "", "name": "f", "arguments": ""}
RESULT: Json = {"type": "function_call_output", "call_id": "c", "output": "x"}
PICTURE: Json = {"type": "input_image", "image_url": "x"}
NOT_THERE: Json = {"type": "function", "name": "f"}
ALLOWED: Json = {"type": "allowed_tools", "mode": "auto", "tools": [NOT_THERE]}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 1}, "model"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": [1]}, "input[0]"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0].type"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [user([{"type": "video"}])]}, "input[0].content[0].type"),
        ({"input": [user([{"type": "input_image", **FILE}])]}, "input[0].content[0].image_url"),
        ({"input": [user([{"type": "input_file", **FILE}])]}, "input[0].content[0].file_data"),
        ({"input": [RESULT]}, "input[0].call_id"),
        ({"input": [CALL]}, "input[0].call_id"),
        ({"input": [{"role": "assistant", "content": [PICTURE]}]}, "input[0].content[0]"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": 1}]}, "tools[0].parameters"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice.name"),
        ({"tools": [LOOK], "tool_choice": ALLOWED}, "tool_choice.tools[0]"),
        ({"tools": [LOOK], "tool_choice": {**ALLOWED, "mode": "all"}}, "tool_choice.mode"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"text": {"verbosity": "loud"}}, "text.verbosity"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"include": ["everything"]}, "include[0]"),
        ({"metadata": {"a": 1}}, "metadata[...]"),
        ({"metadata": {"a" * 65: ""}}, "metadata"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"previous_response_id": "resp_1", "conversation": "conv_1"}, "previous_response_id"),
        ({"background": True, "store": False}, "store"),
        ({"stream_options": {"include_obfuscation": False}}, "stream_options"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"moderation": {}}, "moderation"),
        ({"truncation": "some"}, "truncation"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(fields: Json, param: str) -> None:
    assert refused(**fields).param == param


@pytest.mark.parametrize("levels", range(60, 700, 47))
def test_what_is_nested_too_deep_is_refused(levels: int) -> None:
    deep: Any = None
    for _ in range(levels):
        deep = [deep]
    fields: list[Json] = [
        {"tools": [{**LOOK, "parameters": {"a": deep}}]},
        {"tools": [{**MCP, "headers": deep}]},
        {"input": [{"role": "assistant", "content": deep}]},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"a": deep}}}},
    ]
    for one in fields:
        found = outcome({"model": "m", "input": "x", **one})
        assert levels < 100 or isinstance(found, BadRequest)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": "m"}', b"\xff", b"[" * 100_000])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        decode(body)


# --------------------------------------------------------------- properties

leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
anything = st.recursive(
    leaf,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = [field.name for field in msgspec.structs.fields(ResponsesRequest)]
TYPES = ["message", "function_call", "function_call_output", "reasoning", "item_reference", "x"]
PARTS = ["input_text", "input_image", "input_file", "output_text", "refusal", "text", "y"]
part = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(PARTS), "text": leaf, "refusal": leaf, "image_url": leaf,
        "file_data": leaf, "detail": leaf,
    },
)  # fmt: skip
item = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "z"]),
        "content": st.text(max_size=4) | st.lists(part, max_size=3),
        "call_id": st.sampled_from(["c1", "c2", ""]),
        "name": st.just("f") | leaf,
        "arguments": st.text(max_size=4),
        "output": st.text(max_size=4) | st.lists(part, max_size=2),
        "id": st.just("i") | leaf,
        "summary": st.lists(part, max_size=2),
        "encrypted_content": leaf,
    },
)
odd = anything | st.sampled_from(["auto", "disabled", True, False, [LOOK], 1])
body = st.builds(
    lambda items, fields: {"model": "m", "input": items, **fields},
    st.lists(item, min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(NAMES), odd, max_size=2),
)


def outcome(value: Json) -> Json | BadRequest:
    """The chat request, or why there is none."""
    try:
        request = decode(json.dumps(value).encode("utf-8", "surrogatepass"))
        stored = dict.fromkeys(request.references(), MessageItem("user", "stored"))
        sent: Json = json.loads(request.chat(stored).body())
    except BadRequest as error:
        return error
    return sent


@settings(deadline=None)
@given(body)
def test_a_request_is_understood_or_refused_by_name(value: Json) -> None:
    found = outcome(value)
    if isinstance(found, BadRequest):
        assert found.param is not None or found.code in ("invalid_json", "invalid_encoding")
        assert found.status == 400
    else:
        assert found["messages"]


@given(st.binary(max_size=60))
def test_no_bytes_break_it(value: bytes) -> None:
    with pytest.raises(BadRequest):
        decode(value)


@given(st.text(max_size=40))
def test_what_others_sealed_is_left_out(text: str) -> None:
    assert isinstance(opened(text), list)
    assert opened("sa1." + text) == [] or text


def test_details_come_back_as_they_were_sealed() -> None:
    details = [{"type": "reasoning.encrypted", "data": "EmwK"}]
    assert opened(sealed(details)) == details
    assert opened(None) == []


def test_an_item_leads_to_its_response() -> None:
    response = new_response_id()
    assert response_of(output_id(response, "msg", 3)) == response
    assert response_of(input_id(response, "fco", 3)) == response
    assert response_of("msg_1") is None

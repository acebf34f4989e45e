"""Requests that no backend can answer are refused with the field at fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serve_app.core.errors import BadRequest
from serve_app.wire import openai

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "f"}}
NAMELESS = {"type": "function", "function": {"name": 3}}


def decode(**fields: Any) -> None:
    openai.decode(json.dumps({"model": "auto", "messages": HELLO, **fields}).encode())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"messages": [*HELLO, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
        ({"messages": [*HELLO, {"role": "function", "content": "x"}]}, "messages[1].name"),
        (
            {"messages": [*HELLO, {"role": "assistant", "tool_calls": [{"function": {}}]}]},
            "messages[1].tool_calls[0].function.name",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        ({"tools": [TOOL, NAMELESS]}, "tools[1].function.name"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "tool_choice.function.name",
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function"}},
            "tool_choice.function.name",
        ),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            "tool_choice.function.name",
        ),
    ],
)  # fmt: skip
def test_the_field_at_fault_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decode(**fields)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "fields",
    [
        {"stop": ["a", "b", "c", "d"]},
        {"stop": "a"},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": [{"type": "web_search_preview"}]},
        {"tools": [{"type": "custom", "custom": {"name": "c"}}]},
        {"messages": [*HELLO, {"role": "tool", "content": "x", "tool_call_id": "c1"}]},
    ],
)
def test_what_some_backend_can_do_is_let_through(fields: dict[str, Any]) -> None:
    decode(**fields)

"""What stages see of a request: needs, opening, and to which conversation it belongs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serve_app.core.types import ChatRequest
from serve_app.wire import openai

SYSTEM = {"role": "system", "content": "be brief"}
ASKED = {"role": "user", "content": "what is the weather?"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    ],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "rain"}


def request(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    body = {"model": "auto", "messages": list(messages) or [ASKED], **fields}
    return openai.decode(json.dumps(body).encode())


# ------------------------------------------------------------- conversation


def test_every_request_of_a_tool_loop_has_the_name_of_the_first() -> None:
    steps = [SYSTEM, ASKED, CALLED, RESULT, {"role": "assistant", "content": "rain"}, ASKED]
    names = {openai.conversation_of(request(*steps[:n]), "t") for n in range(2, len(steps) + 1)}
    assert len(names) == 1
    [name] = names
    assert len(name) == 16
    assert int(name, 16) >= 0


def test_a_loop_that_no_user_opened_has_one_name_too() -> None:
    first = openai.conversation_of(request(SYSTEM), "t")
    assert openai.conversation_of(request(SYSTEM, CALLED, RESULT), "t") == first


@pytest.mark.parametrize(
    ("other", "tenant"),
    [
        (request(SYSTEM, ASKED), "another tenant"),
        (request(SYSTEM, ASKED, model="strong"), "t"),
        (request({"role": "system", "content": "be long"}, ASKED), "t"),
        (request(SYSTEM, {"role": "user", "content": "what is the time?"}), "t"),
        (request({"role": "user", "content": "be brief"}, ASKED), "t"),
    ],
)
def test_another_beginning_is_another_conversation(other: ChatRequest, tenant: str) -> None:
    assert openai.conversation_of(other, tenant) != openai.conversation_of(
        request(SYSTEM, ASKED), "t"
    )


def test_parts_of_a_message_cannot_pass_for_messages() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    together = request({"role": "user", "content": "ab"})
    assert openai.conversation_of(
        request({"role": "user", "content": parts}), "t"
    ) != openai.conversation_of(together, "t")


# ------------------------------------------------------------------ opening


@pytest.mark.parametrize(
    ("messages", "opening"),
    [
        ([SYSTEM, ASKED], ("be brief", "what is the weather?")),
        ([SYSTEM, ASKED, CALLED, RESULT], ("be brief", "what is the weather?")),
        (
            [
                ASKED,
                {"role": "assistant", "content": "rain"},
                {"role": "user", "content": "thanks"},
            ],
            ("what is the weather?", "rain", "thanks"),
        ),
        ([SYSTEM, CALLED, RESULT], ("be brief", "{}", "rain")),
    ],
)
def test_the_opening_ends_with_the_last_user_message(
    messages: list[dict[str, Any]], opening: tuple[str, ...]
) -> None:
    assert openai.opening_texts(request(*messages)) == opening


# -------------------------------------------------------------------- needs


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"parallel_tool_calls": True}, {"parallel_tools"}),
        ({"parallel_tool_calls": False}, set()),
        ({"seed": 0}, {"seed"}),
        ({"seed": None}, set()),
        ({"reasoning_effort": "low"}, {"reasoning"}),
        ({"reasoning_effort": "none"}, set()),
        ({"response_format": {"type": "text"}}, set()),
        ({"response_format": {"type": "json_object"}}, {"json_object"}),
    ],
)
def test_needs_are_what_was_asked_for_and_nothing_else(
    fields: dict[str, Any], needs: set[str]
) -> None:
    assert set(openai.needs_of(request(**fields))) == needs

"""Whole replies as Anthropic's message objects; errors and models in its shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire_chunks import Told, whole

from serve_app.core import errors
from serve_app.core.types import Usage
from serve_app.wire.anthropic.models import model_list
from serve_app.wire.anthropic.problem import AnthropicErrors
from serve_app.wire.anthropic.shape import Messages

anthropic = pytest.importorskip("anthropic", reason="checks our shapes against its types")

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": [1]}'}}


def message(
    reply: dict[str, Any], finish: str = "stop", told: Told | None = None, **more: Any
) -> Any:
    """The message as the official client understands it, nothing missing, nothing coerced."""
    body = Messages().whole(whole(reply, finish, **more), told or Told())
    return anthropic.types.Message.model_validate_json(body, strict=True)


def test_a_text() -> None:
    usage = {
        "prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34,
        "prompt_tokens_details": {"cached_tokens": 20, "cache_creation_tokens": 5},
    }  # fmt: skip
    made = message({"content": "Hello!"}, usage=usage)
    assert (made.id, made.model, made.role) == ("msg_chatcmpl-1", "m-1", "assistant")
    assert [(b.type, b.text) for b in made.content] == [("text", "Hello!")]
    assert (made.stop_reason, made.stop_sequence) == ("end_turn", None)
    assert made.usage.input_tokens == 5
    assert made.usage.cache_read_input_tokens == 20
    assert made.usage.cache_creation_input_tokens == 5
    assert made.usage.output_tokens == 4


def test_thinking_text_and_calls_are_blocks_in_this_order() -> None:
    details = [
        {"type": "reasoning.text", "text": "Hm.", "signature": "EqQB"},
        {"type": "reasoning.encrypted", "data": "EmwK"},
    ]
    made = message(
        {
            "content": "Let me see.",
            "reasoning_content": "Hm.",
            "reasoning_details": details,
            "tool_calls": [CALL, {**CALL, "id": "call_2"}],
        },
        "tool_calls",
    )
    assert [b.type for b in made.content] == [
        "thinking", "redacted_thinking", "text", "tool_use", "tool_use",
    ]  # fmt: skip
    assert (made.content[0].thinking, made.content[0].signature) == ("Hm.", "EqQB")
    assert made.content[1].data == "EmwK"
    assert made.content[3].input == {"a": [1]}
    assert [b.id for b in made.content[3:]] == ["call_1", "call_2"]
    assert made.stop_reason == "tool_use"


@pytest.mark.parametrize(
    ("reasoning", "covered", "blocks"),
    [
        ("abcde", [2, 3], [("ab", "s0"), ("cde", "s1")]),
        ("abcde", [None], [("abcde", "s0")]),
        ("abcd", [2, 3], [("abcd", "")]),
        ("abcd", [None, 4], [("abcd", "")]),
        ("abcd", [], [("abcd", "")]),
        ("", [0], [("", "s0")]),
        ("", [3], []),
    ],
)
def test_reasoning_is_divided_as_it_was_signed(
    reasoning: str, covered: list[int | None], blocks: list[tuple[str, str]]
) -> None:
    details = [
        {"type": "reasoning.text", "signature": f"s{n}", "chars": chars}
        for n, chars in enumerate(covered)
    ]
    made = message({"content": "x", "reasoning_content": reasoning, "reasoning_details": details})
    thoughts = [block for block in made.content if block.type == "thinking"]
    assert [(block.thinking, block.signature) for block in thoughts] == blocks


@pytest.mark.parametrize(
    ("finish", "reply", "reason"),
    [
        ("stop", {"content": "x"}, "end_turn"),
        ("length", {"content": "x"}, "max_tokens"),
        ("content_filter", {"content": ""}, "refusal"),
        ("tool_calls", {"tool_calls": [CALL]}, "tool_use"),
        ("stop", {"tool_calls": [CALL]}, "tool_use"),
        ("stop", {"refusal": "I cannot."}, "refusal"),
        ("eos_token", {"content": "x"}, "end_turn"),
    ],
)
def test_the_reason_of_the_end(finish: str, reply: dict[str, Any], reason: str) -> None:
    assert message(reply, finish).stop_reason == reason


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("", {}),
        ("{}", {}),
        ('{"a"', {"invalid_arguments": '{"a"'}),
        ("[1]", {"invalid_arguments": "[1]"}),
    ],
)
def test_arguments_are_an_object_or_shown_as_none(arguments: str, shown: dict[str, Any]) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    assert message({"tool_calls": [call]}).content[0].input == shown


def test_what_the_backend_leaves_out_is_told_by_the_gateway() -> None:
    made = message({"content": "x"}, told=Told("small", Usage(7, 2, 9)), model=None, id=None)
    assert made.model == "small"
    assert (made.usage.input_tokens, made.usage.output_tokens) == (7, 2)
    assert made.id.startswith("msg_")


# -------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.BadRequest("no", param="max_tokens"), "invalid_request_error"),
        (errors.Unauthorized("no"), "authentication_error"),
        (errors.Blocked("no"), "permission_error"),
        (errors.NotFound("no"), "not_found_error"),
        (errors.MethodNotAllowed("no"), "invalid_request_error"),
        (errors.TooLarge("no"), "request_too_large"),
        (errors.RateLimited("no"), "rate_limit_error"),
        (errors.GatewayError("no"), "api_error"),
        (errors.UpstreamFailed("no"), "api_error"),
        (errors.Overloaded("no"), "overloaded_error"),
        (errors.DeadlineExceeded("no"), "timeout_error"),
    ],
)
def test_errors_have_anthropics_types(error: errors.GatewayError, kind: str) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "no"}, "request_id": "req_1"}
    shape = AnthropicErrors()
    assert json.loads(shape.problem(error, "req_1")) == body
    name, data, *rest = shape.problem_event(error, "req_1").decode().split("\n")
    assert (name, json.loads(data[6:]), rest) == ("event: error", body, ["", ""])


def test_models_are_listed_on_one_page() -> None:
    page = anthropic.pagination.SyncPage[anthropic.types.ModelInfo].model_validate(
        model_list(["auto", "p/ok"])
    )
    assert [model.id for model in page.data] == ["auto", "p/ok"]
    assert (page.has_more, page.first_id, page.last_id) == (False, "auto", "p/ok")
    assert model_list([])["first_id"] is None

"""A whole reply as Anthropic's message object, and what its parts have in common with a stream."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from msgspec import Struct

from serve_app.core.types import Usage
from serve_app.wire.anthropic.thinking import blocks_of
from serve_app.wire.shape import Answered

Json = dict[str, Any]

_STOP_REASONS = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""All others, and which stop sequence it was, is not told by OpenAI's dialect: `end_turn`."""


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Any = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(Struct):
    choices: list[_Choice]
    id: str | None = None
    model: str | None = None
    usage: Usage | None = None


_completion = msgspec.json.Decoder(_Completion)


def message_of(body: bytes, answered: Answered) -> bytes:
    """The message object that a `chat.completion` amounts to."""
    completion = _completion.decode(body)
    choice = completion.choices[0] if completion.choices else _Choice(_Message())
    said = choice.message
    return msgspec.json.encode(
        {
            **head(completion.id, completion.model or answered.model),
            "content": _blocks(said),
            "stop_reason": stop_reason(
                choice.finish_reason, bool(said.tool_calls), bool(said.refusal)
            ),
            "stop_sequence": None,
            "usage": usage_of(completion.usage or answered.usage),
        }
    )


def head(id_: str | None, model: str) -> Json:
    """What a message object begins with."""
    if not id_ or not id_.startswith("msg_"):
        id_ = f"msg_{id_ or secrets.token_hex(12)}"
    return {"id": id_, "type": "message", "role": "assistant", "model": model}


def stop_reason(finish: str | None, has_calls: bool, refused: bool) -> str:
    """A finish reason in Anthropic's words; some backends say `stop` after a tool call."""
    if finish in (None, "stop"):
        return "refusal" if refused else "tool_use" if has_calls else "end_turn"
    return _STOP_REASONS.get(finish, "end_turn")


def usage_of(usage: Usage | None) -> dict[str, int]:
    """Token counts; Anthropic counts what was read from a cache, or written to one, apart."""
    usage = usage or Usage()
    details = usage.prompt_tokens_details or {}
    read = _count(details, "cached_tokens")
    written = _count(details, "cache_creation_tokens") or _count(details, "cache_write_tokens")
    return {
        "input_tokens": max(0, usage.prompt_tokens - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": usage.completion_tokens,
    }


def _count(details: Json, name: str) -> int:
    value = details.get(name)
    return value if isinstance(value, int) else 0


def _blocks(said: _Message) -> list[Json]:
    reasoning = said.reasoning_content or said.reasoning or ""
    blocks = blocks_of(reasoning, said.reasoning_details)
    blocks += [{"type": "text", "text": text} for text in (said.content, said.refusal) if text]
    blocks += [_tool_use(call) for call in said.tool_calls or ()]
    return blocks


def _tool_use(call: _Call) -> Json:
    function = call.function or _Function()
    return {
        "type": "tool_use",
        "id": call.id or new_call_id(),
        "name": function.name or "",
        "input": _input(function.arguments or ""),
    }


def new_call_id() -> str:
    """For backends that give a call none."""
    return f"toolu_{secrets.token_hex(12)}"


def _input(arguments: str) -> Json:
    """Arguments as an object. What a model wrote that is none is shown as it is, under a name
    that no schema knows, so that the caller's check fails and the model can be told."""
    if not arguments.strip():
        return {}
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"invalid_arguments": arguments}

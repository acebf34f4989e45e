"""A whole chat reply as a response object."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from serve_app.core.types import Chunk, ChunkChoice, Delta, Usage
from serve_app.wire.responses.making import Making

Json = dict[str, Any]


class _Choice(Struct):
    message: Delta = field(default_factory=Delta)
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class _Completion(Struct):
    choices: list[_Choice] = []
    model: str | None = None
    usage: Usage | None = None


_completion = msgspec.json.Decoder(_Completion).decode


def made_of(body: bytes, making: Making) -> Json:
    """The response that a `chat.completion` amounts to."""
    completion = _completion(body)
    for choice in completion.choices[:1]:
        _number_calls(choice.message)
        part = ChunkChoice(0, choice.message, choice.finish_reason, choice.logprobs)
        making.feed([Chunk(model=completion.model or "", choices=[part])])
    making.feed([Chunk(model=completion.model or "", usage=completion.usage)])
    return making.finish()


def _number_calls(message: Delta) -> None:
    """In a whole message the calls have no index but their place."""
    for at, call in enumerate(message.tool_calls or ()):
        call.index = at

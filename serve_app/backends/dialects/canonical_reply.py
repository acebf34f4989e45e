"""Replies in the canonical shape: what a provider said as values in, `Chunk`s out.

A chunk made here carries its own JSON as `raw`, because that is what goes out to callers.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from serve_app.core.types import Chunk, ChunkChoice, Delta, FunctionDelta, ToolCallDelta, Usage

Json = dict[str, Any]

_encode = msgspec.json.encode


class Pen:
    """Writes the chunks of one streamed reply.

    Args:
        created: Unix seconds.
    """

    __slots__ = ("_created", "_model", "id")

    def __init__(self, id_: str, model: str, created: int) -> None:
        self.id = id_
        self._model = model
        self._created = created

    def delta(self, delta: Delta, index: int = 0, said: Json | None = None) -> Chunk:
        """What one event adds.

        Args:
            said: the delta as it goes out, where it holds more than `Delta` knows.
        """
        return self._chunk(ChunkChoice(index, delta), said or delta)

    def text(self, text: str, index: int = 0) -> Chunk:
        return self.delta(Delta(content=text), index)

    def tool_call(
        self, at: int, id_: str, name: str, arguments: str = "", *, index: int = 0,
        extra: Json | None = None,
    ) -> Chunk:  # fmt: skip
        """The beginning of a tool call, or all of it; `extra` is its `extra_content`."""
        function = FunctionDelta(name, arguments)
        call = ToolCallDelta(at, id_, "function", function)
        said: Json = {
            "index": at,
            "id": id_,
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        if extra is not None:
            said["extra_content"] = extra
        return self.delta(Delta(tool_calls=[call]), index, {"tool_calls": [said]})

    def arguments(self, at: int, fragment: str, index: int = 0) -> Chunk:
        """A further piece of a tool call's arguments."""
        call = ToolCallDelta(at, function=FunctionDelta(arguments=fragment))
        said = {"tool_calls": [{"index": at, "function": {"arguments": fragment}}]}
        return self.delta(Delta(tool_calls=[call]), index, said)

    def finish(self, reason: str, index: int = 0) -> Chunk:
        return self._chunk(ChunkChoice(index, finish_reason=reason), {})

    def logprobs(self, logprobs: Json, index: int = 0) -> Chunk:
        """The probabilities of tokens that were said before."""
        return self._chunk(ChunkChoice(index, logprobs=logprobs), {})

    def usage(self, usage: Usage) -> Chunk:
        value = {**self._head(), "choices": [], "usage": usage_object(usage)}
        return Chunk(self.id, self._model, self._created, [], usage, _encode(value))

    def _chunk(self, choice: ChunkChoice, said: Delta | Json) -> Chunk:
        shown = {
            "index": choice.index,
            "delta": said,
            "logprobs": choice.logprobs if isinstance(choice.logprobs, dict) else None,
            "finish_reason": choice.finish_reason,
        }
        raw = _encode({**self._head(), "choices": [shown]})
        return Chunk(self.id, self._model, self._created, [choice], None, raw)

    def _head(self) -> Json:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
        }


class Answer(Struct):
    """One choice of a whole reply; `message` holds what was said but for the role."""

    finish_reason: str
    message: Json
    index: int = 0
    logprobs: Json | None = None


def whole(
    id_: str, model: str, created: int, answers: list[Answer], usage: Usage | None
) -> Chunk:  # fmt: skip
    """A whole reply as one chunk."""
    value: Json = {
        "id": id_,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [_shown(answer) for answer in answers],
    }
    if usage is not None:
        value["usage"] = usage_object(usage)
    choices = [_choice(answer) for answer in answers]
    return Chunk(id_, model, created, choices, usage, _encode(value), whole=True)


def _shown(answer: Answer) -> Json:
    return {
        "index": answer.index,
        "message": {"role": "assistant", "content": None, "refusal": None, **answer.message},
        "logprobs": answer.logprobs,
        "finish_reason": answer.finish_reason,
    }


def _choice(answer: Answer) -> ChunkChoice:
    delta = msgspec.convert(answer.message, Delta)
    delta.role = "assistant"
    for at, call in enumerate(delta.tool_calls or ()):
        call.index = at
    return ChunkChoice(answer.index, delta, answer.finish_reason, answer.logprobs)


def tool_call(id_: str, name: str, arguments: str, extra: Json | None = None) -> Json:
    """A tool call of a whole message."""
    call: Json = {
        "id": id_,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    if extra is not None:
        call["extra_content"] = extra
    return call


def usage_object(usage: Usage) -> Json:
    """Token counts with the three that OpenAI always gives, zero or not."""
    value: Json = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.prompt_tokens_details:
        value["prompt_tokens_details"] = usage.prompt_tokens_details
    if usage.completion_tokens_details:
        value["completion_tokens_details"] = usage.completion_tokens_details
    return value

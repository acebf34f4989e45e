"""Anthropic's replies as canonical ones: a message object, or the events of a stream."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.anthropic_thinking import detail, sealed
from serve_app.backends.dialects.canonical_reply import Answer, tool_call, whole
from serve_app.backends.dialects.canonical_request import NOTHING, Json, is_there
from serve_app.backends.refusal import failure_inside, read_refusal
from serve_app.core.types import Chunk, Usage

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",  # only tools that Anthropic runs itself pause, and we ask for none
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class Block(Struct):
    """One content block, whole or as it begins."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = NOTHING

    @property
    def arguments(self) -> str:
        return bytes(self.input).decode() if is_there(self.input) else "{}"


class Details(Struct):
    explanation: str | None = None
    thinking_tokens: int | None = None


class Counts(Struct):
    """Tokens, as the API counts them: what a cache had is not among the input tokens."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: Details | None = None

    def update(self, newer: Counts) -> None:
        """Counts in a stream are of everything so far; what is not said again still holds."""
        for name in self.__struct_fields__:
            if (value := getattr(newer, name)) is not None:
                setattr(self, name, value)

    def usage(self) -> Usage:
        read, written = self.cache_read_input_tokens or 0, self.cache_creation_input_tokens or 0
        prompt, completion = (self.input_tokens or 0) + read + written, self.output_tokens or 0
        details: Json = {"cached_tokens": read, "cache_creation_tokens": written}
        thought = self.output_tokens_details and self.output_tokens_details.thinking_tokens
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            prompt_tokens_details=details if read or written else None,
            completion_tokens_details={"reasoning_tokens": thought} if thought else None,
        )


class Message(Struct):
    """A reply; in the first event of a stream, with nothing in it yet."""

    type: Literal["message"]
    content: list[Block]
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_details: Details | None = None
    usage: Counts | None = None


_decode = msgspec.json.Decoder(Message).decode


def finish_reason(stop_reason: str) -> str:
    """OpenAI's word for a stop reason."""
    return _FINISH.get(stop_reason, "stop")


def decode_whole(
    body: bytes, model: str, created: int, secret: str | None, lead: Lead
) -> Chunk:  # fmt: skip
    """A message object as a whole chunk.

    Raises:
        AttemptFailed: it is an error object, or none of both.
    """
    try:
        message = _decode(body)
        if message.stop_reason is None:
            raise msgspec.ValidationError("no stop reason")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        if (refusal := read_refusal(body)) is not None:
            raise failure_inside(refusal, secret=secret) from None
        raise AttemptFailed(
            "transient", "the provider's answer is no message", code="malformed"
        ) from error
    answer = Answer(finish_reason(message.stop_reason), _said(message, lead))
    usage = message.usage.usage() if message.usage is not None else None
    return whole(message.id, message.model or model, created, [answer], usage)


def _said(message: Message, lead: Lead) -> Json:
    texts = "".join(block.text or "" for block in message.content if block.type == "text")
    said: Json = {"content": lead.off(texts) or None}
    thoughts = [block.thinking or "" for block in message.content if block.type == "thinking"]
    if reasoning := "".join(thoughts):
        said["reasoning_content"] = reasoning
    if details := _details(message.content):
        said["reasoning_details"] = details
    if calls := [_call(block) for block in message.content if block.type == "tool_use"]:
        said["tool_calls"] = calls
    elif said["content"] is None:
        said["content"] = ""
    if message.stop_reason == "refusal" and message.stop_details is not None:
        said["refusal"] = message.stop_details.explanation
    return said


def _details(blocks: list[Block]) -> list[Json]:
    details: list[Json] = []
    for at, block in enumerate(blocks):
        if block.type == "thinking" and block.signature:
            details.append(detail(at, block.signature, len(block.thinking or "")))
        elif block.type == "redacted_thinking" and block.data:
            details.append(sealed(at, block.data))
    return details


def _call(block: Block) -> Json:
    return tool_call(block.id or "", block.name or "", block.arguments)


class Lead:
    """White space that was cut off the end of an answer's beginning: the model may say it again.

    Args:
        prefix: the beginning that the caller has.
    """

    __slots__ = ("_left",)

    def __init__(self, prefix: str) -> None:
        self._left = prefix[len(prefix.rstrip()) :]

    def off(self, text: str) -> str:
        """What is new of the next piece of text."""
        if not self._left or not text:
            return text
        at = 0
        while at < min(len(text), len(self._left)) and text[at] == self._left[at]:
            at += 1
        self._left = self._left[at:] if at == len(text) else ""
        return text[at:]

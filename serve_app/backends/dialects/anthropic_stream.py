"""Anthropic's events as canonical chunks, one stream at a time."""

from __future__ import annotations

from typing import NoReturn

import msgspec
from msgspec import Struct

from serve_app.backends.base import AttemptFailed, Call
from serve_app.backends.dialects.anthropic_reply import (
    Block,
    Counts,
    Details,
    Lead,
    Message,
    finish_reason,
)
from serve_app.backends.dialects.anthropic_thinking import detail, sealed
from serve_app.backends.dialects.canonical_reply import Pen
from serve_app.backends.refusal import Refusal, failure_inside, read_refusal
from serve_app.core.types import Chunk, Delta


class _Delta(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_details: Details | None = None


class _Event(Struct):
    type: str
    index: int = 0
    message: Message | None = None
    content_block: Block | None = None
    delta: _Delta | None = None
    usage: Counts | None = None


class _Open(Struct):
    """A block that has begun and not ended."""

    type: str
    tool: int = 0
    """Its number among the tool calls."""
    chars: int = 0
    """Of text, thinking or arguments so far."""
    signature: str = ""


_decode = msgspec.json.Decoder(_Event).decode


class AnthropicDecoder:
    """See `StreamDecoder`.

    Args:
        created: Unix seconds.
    """

    __slots__ = ("_blocks", "_call", "_counts", "_created", "_lead", "_pen", "_secret", "_tools",
                 "ended")  # fmt: skip

    def __init__(self, call: Call, created: int, secret: str | None) -> None:
        self.ended = False
        self._call = call
        self._created = created
        self._secret = secret
        self._pen = Pen(call.request_id, call.model, created)
        self._lead = Lead(call.prefix)
        self._counts = Counts()
        self._blocks: dict[int, _Open] = {}
        self._tools = 0

    def chunks(self, data: bytes) -> list[Chunk]:
        """See `StreamDecoder.chunks`. Kinds of events that we do not know say nothing to us:
        the API may add some at any time."""
        try:
            event = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._raise_unread(data, error)
        match event.type:
            case "content_block_delta" if event.delta is not None:
                return self._add(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                return self._begin(event.index, event.content_block)
            case "content_block_stop":
                return self._end(event.index)
            case "message_start" if event.message is not None:
                return self._start(event.message)
            case "message_delta" if event.delta is not None:
                return self._stop(event.delta, event.usage)
            case "message_stop":
                self.ended = True
            case "error":
                raise failure_inside(read_refusal(data) or Refusal(), secret=self._secret)
        return []

    def _raise_unread(self, data: bytes, error: Exception) -> NoReturn:
        if (refusal := read_refusal(data)) is not None:
            raise failure_inside(refusal, secret=self._secret) from None
        raise AttemptFailed(
            "transient", "the provider sent an event that is no part of a message", code="malformed"
        ) from error

    def _start(self, message: Message) -> list[Chunk]:
        self._pen = Pen(message.id, message.model or self._call.model, self._created)
        if message.usage is not None:
            self._counts.update(message.usage)
        return [self._pen.delta(Delta(role="assistant", content=""))]

    def _begin(self, index: int, block: Block) -> list[Chunk]:
        opened = self._blocks[index] = _Open(block.type)
        match block.type:
            case "tool_use":
                opened.tool = self._tools
                self._tools += 1
                begun = self._pen.tool_call(opened.tool, block.id or "", block.name or "")
                given = "" if block.arguments == "{}" else block.arguments
                return [begun, *self._arguments(opened, given)]
            case "redacted_thinking" if block.data:
                return [self._pen.delta(Delta(reasoning_details=[sealed(index, block.data)]))]
            case "thinking":
                opened.signature = block.signature or ""
                return self._thought(opened, block.thinking or "")
            case "text":
                return self._text(block.text or "")
        return []

    def _add(self, index: int, delta: _Delta) -> list[Chunk]:
        opened = self._blocks.get(index)
        if opened is None:
            return []
        match delta.type:
            case "text_delta" if opened.type == "text":
                return self._text(delta.text or "")
            case "input_json_delta" if opened.type == "tool_use":
                return self._arguments(opened, delta.partial_json or "")
            case "thinking_delta":
                return self._thought(opened, delta.thinking or "")
            case "signature_delta":
                opened.signature += delta.signature or ""
        return []

    def _end(self, index: int) -> list[Chunk]:
        opened = self._blocks.pop(index, None)
        if opened is None:
            return []
        if opened.type == "tool_use" and not opened.chars:
            return self._arguments(opened, "{}")  # a call without arguments has none to send
        if opened.type == "thinking" and opened.signature:
            entry = detail(index, opened.signature, opened.chars)
            return [self._pen.delta(Delta(reasoning_details=[entry]))]
        return []

    def _text(self, text: str) -> list[Chunk]:
        text = self._lead.off(text)
        return [self._pen.text(text)] if text else []

    def _thought(self, opened: _Open, thinking: str) -> list[Chunk]:
        opened.chars += len(thinking)
        return [self._pen.delta(Delta(reasoning_content=thinking))] if thinking else []

    def _arguments(self, opened: _Open, fragment: str) -> list[Chunk]:
        opened.chars += len(fragment)
        return [self._pen.arguments(opened.tool, fragment)] if fragment else []

    def _stop(self, delta: _Delta, counts: Counts | None) -> list[Chunk]:
        if counts is not None:
            self._counts.update(counts)
        if delta.stop_reason is None:
            return []
        last = [self._pen.finish(finish_reason(delta.stop_reason))]
        reason = delta.stop_details.explanation if delta.stop_details is not None else None
        if delta.stop_reason == "refusal" and reason:
            last.insert(0, self._pen.delta(Delta(refusal=reason)))
        return [*last, self._pen.usage(self._counts.usage())]

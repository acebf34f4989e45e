"""Replies in OpenAI's shapes: chunks to SSE, a stream to a body, a body to a stream.

Chunks that nobody changed go out as the bytes they came in.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from serve_app.core.types import Chunk, ChunkChoice, Usage

DONE = b"data: [DONE]\n\n"

_REASONING = frozenset({"reasoning_content", "reasoning"})

_object = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.encode


def sse(chunks: list[Chunk]) -> bytes:
    """Chunks as server-sent events, in one piece."""
    return b"".join([b"data: %b\n\n" % payload(chunk) for chunk in chunks])


def payload(chunk: Chunk) -> bytes:
    """A chunk's JSON: as it came, or encoded where we made or changed it."""
    return chunk.raw or _encode(chunk_object(chunk))


def is_usage_only(chunk: Chunk) -> bool:
    """True for the extra event with `stream_options.include_usage`: usage and no choices."""
    return chunk.usage is not None and not chunk.choices and not chunk.whole


def rewrite(chunk: Chunk, texts: dict[int, str], field: str) -> Chunk:
    """The chunk with the text of some choices replaced, everything else as it came.

    Details of reasoning go with the reasoning of theirs that is changed.

    Args:
        texts: by choice index, the new text.
        field: `content` or `reasoning_content` or `refusal`.
    """
    where = "message" if chunk.whole else "delta"
    value = _object.decode(payload(chunk))
    repeated = field in _REASONING
    for choice in value.get("choices", ()):
        if (text := texts.get(choice.get("index", 0))) is not None:
            said = choice.setdefault(where, {})
            if repeated and said.get(field):
                said.pop("reasoning_details", None)
            said[field] = text
    for known in chunk.choices:
        if (text := texts.get(known.index)) is not None:
            if repeated and getattr(known.delta, field):
                known.delta.reasoning_details = None
            setattr(known.delta, field, text)
    chunk.raw = _encode(value)
    return chunk


# ------------------------------------------------------- stream <-> body


def collect(chunks: list[Chunk]) -> bytes:
    """The body that a stream amounts to."""
    collection = Collection()
    for chunk in chunks:
        collection.add(chunk)
    return collection.body()


class Collection:
    """The body that a stream amounts to, while it comes: OpenAI's `chat.completion` object."""

    def __init__(self) -> None:
        self._head: Chunk | None = None
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None

    def add(self, chunk: Chunk) -> None:
        self._head = self._head or chunk
        self._usage = chunk.usage or self._usage
        for part in chunk.choices:
            self._choices.setdefault(part.index, _Choice()).add(part)

    def body(self) -> bytes:
        head, choices = self._head or Chunk(), self._choices
        value: dict[str, Any] = {
            "id": head.id,
            "object": "chat.completion",
            "created": head.created,
            "model": head.model,
            "choices": [choices[index].finished(index) for index in sorted(choices)],
        }
        if self._usage is not None:
            value["usage"] = self._usage
        return _encode(value)


class _Choice:
    """One choice of a stream while it is put together."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._details: list[Any] = []
        self._tools: dict[int, dict[str, Any]] = {}
        self._logprobs: dict[str, list[Any]] = {}
        self._finish: str | None = None

    def add(self, part: ChunkChoice) -> None:
        for name in ("content", "reasoning_content", "reasoning", "refusal"):
            if text := getattr(part.delta, name):
                self._texts.setdefault(name, []).append(text)
        if isinstance(details := part.delta.reasoning_details, list):
            self._details += details
        for call in part.delta.tool_calls or ():
            whole = self._tools.setdefault(
                call.index,
                {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
            )
            whole["id"] = call.id or whole["id"]
            whole["type"] = call.type or whole["type"]
            if call.function is not None:
                whole["function"]["name"] += call.function.name or ""
                whole["function"]["arguments"] += call.function.arguments or ""
        if isinstance(part.logprobs, dict):
            for name, items in part.logprobs.items():
                if isinstance(items, list):
                    self._logprobs.setdefault(name, []).extend(items)
        self._finish = part.finish_reason or self._finish

    def finished(self, index: int) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message.update({name: "".join(parts) for name, parts in self._texts.items()})
        if self._details:
            message["reasoning_details"] = self._details
        if self._tools:
            message["tool_calls"] = [self._tools[at] for at in sorted(self._tools)]
        elif message["content"] is None:
            message["content"] = ""
        choice: dict[str, Any] = {"index": index, "message": message, "finish_reason": self._finish}
        choice["logprobs"] = self._logprobs or None
        return choice


def usage_chunk(usage: Usage) -> Chunk:
    """The extra event with usage and no choices, for a stream whose own never came."""
    chunk = Chunk(created=int(time.time()), usage=usage)
    chunk.raw = payload(chunk)
    return chunk


def cached_usage_event(model: str, prompt_tokens: int, completion_tokens: int) -> bytes:
    """The payload of the event that `stream_options.include_usage` asks for, of a stored answer."""
    return _encode(
        {
            "id": "",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
            "choices": [],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
                "prompt_tokens_details": {"cached_tokens": prompt_tokens},
                "cached": True,
            },
        }
    )


def chunk_object(chunk: Chunk) -> dict[str, Any]:
    """A chunk that we made, as OpenAI's `chat.completion.chunk`."""
    choices = [
        {"index": c.index, "delta": c.delta, "finish_reason": c.finish_reason}
        for c in chunk.choices
    ]
    value: dict[str, Any] = {
        "id": chunk.id,
        "object": "chat.completion.chunk",
        "created": chunk.created,
        "model": chunk.model,
        "choices": choices,
    }
    if chunk.usage is not None:
        value["usage"] = chunk.usage
    return value

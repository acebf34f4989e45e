"""Replies that a filter rule has stopped: what there is of them, and how they end.

The finish reason is OpenAI's `content_filter`; which rule it was stands beside it, under a name
of our own that clients pass over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from serve_app.core.types import Chunk, ChunkChoice, Delta, FunctionDelta, ToolCallDelta
from serve_app.wire.reply import chunk_object, payload

CONTENT_FILTER = "content_filter"

_object = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.encode


def cut_short(rule: str, like: Chunk, choices: Iterable[int]) -> Chunk:
    """The event with which a stream ends that a filter rule has stopped.

    Args:
        like: a chunk of the same stream.
        choices: indexes of those that have not ended.
    """
    ended = [ChunkChoice(index, Delta(), CONTENT_FILTER) for index in sorted(choices)]
    chunk = Chunk(like.id, like.model, like.created, ended)
    chunk.raw = _encode({**chunk_object(chunk), "serve_app": _stopped_by(rule)})
    return chunk


def cut_body(chunk: Chunk, choice: int, rule: str, said: dict[str, str]) -> Chunk:
    """A whole reply of which one choice is stopped by a filter rule.

    Args:
        said: what is left of it, by field; there is nothing else, and no tool is called.
    """
    value = _object.decode(payload(chunk))
    for one in value.get("choices", ()):
        if one.get("index", 0) == choice:
            one["message"] = {"role": "assistant", "content": None, **said}
            one["finish_reason"], one["logprobs"] = CONTENT_FILTER, None
    for known in chunk.choices:
        if known.index == choice:
            known.delta = _said(said)
            known.finish_reason, known.logprobs = CONTENT_FILTER, None
    value["serve_app"] = _stopped_by(rule)
    chunk.raw = _encode(value)
    return chunk


def _stopped_by(rule: str) -> dict[str, Any]:
    return {"filter": {"action": "block", "rule": rule}}


def said_by(like: Chunk, choice: int, field: str, text: str, call: int = -1) -> Chunk:
    """A chunk of our own in another's stream.

    Args:
        field: of the delta; `arguments` of the tool call with the index `call`.
    """
    if field == "arguments":
        delta = Delta(tool_calls=[ToolCallDelta(call, function=FunctionDelta(arguments=text))])
    else:
        delta = _said({field: text})
    chunk = Chunk(like.id, like.model, like.created, [ChunkChoice(choice, delta)])
    chunk.raw = payload(chunk)
    return chunk


def _said(texts: dict[str, str]) -> Delta:
    delta = Delta()
    for field, text in texts.items():
        setattr(delta, field, text)
    return delta

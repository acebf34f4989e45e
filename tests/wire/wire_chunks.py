"""Chunks and replies for the tests of shapes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from serve_app.core.types import Chunk, Usage

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m-1"}


class Told(msgspec.Struct):
    """Who answered, as the pipeline tells a shape."""

    model: str = "asked"
    usage: Usage | None = None


def chunk(
    delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0, **more: Any
) -> Chunk:
    """A chunk with one choice, or with none if there is neither delta nor finish reason."""
    choices: list[dict[str, Any]] = []
    if delta is not None or finish is not None:
        choices = [{"index": index, "delta": delta or {}, "finish_reason": finish}]
    raw = json.dumps({**HEAD, "choices": choices, **more}).encode()
    made = msgspec.json.decode(raw, type=Chunk)
    made.raw = raw
    return made


def usage_chunk(prompt: int, completion: int, **details: Any) -> Chunk:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return chunk(usage={**counts, "total_tokens": prompt + completion, **details})


def call(index: int, **function: Any) -> dict[str, Any]:
    """A delta with a fragment of a tool call."""
    id_ = function.pop("id", None)
    fragment: dict[str, Any] = {"index": index, "function": function}
    if id_ is not None:
        fragment |= {"id": id_, "type": "function"}
    return {"tool_calls": [fragment]}


def whole(message: dict[str, Any], finish: str = "stop", **more: Any) -> Chunk:
    """A whole reply as the cache hands it over: only its bytes."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m-1"}
    return Chunk(raw=json.dumps({**body, "choices": [choice], **more}).encode(), whole=True)


async def batches(*given: list[Chunk]) -> AsyncIterator[list[Chunk]]:
    for batch in given:
        yield batch


async def text_of(pieces: AsyncIterator[bytes]) -> str:
    return b"".join([piece async for piece in pieces]).decode()


def data_of(stream: str) -> list[str]:
    """The data of each event, which is one line."""
    return [line[6:] for line in stream.split("\n") if line.startswith("data: ")]

"""Chunks with other arguments of tool calls, or other probabilities; all else as it came."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from serve_app.core.types import Chunk, ChunkChoice, Delta, FunctionDelta, ToolCallDelta
from serve_app.wire.reply import payload


class _BodyChoice(Struct):
    index: int = 0
    message: Delta = field(default_factory=Delta)
    finish_reason: str | None = None


class _Body(Struct):
    choices: list[_BodyChoice] = []


_body = msgspec.json.Decoder(_Body)
_object = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.encode


def rewrite_arguments(chunk: Chunk, choice: int, call: int, arguments: str) -> Chunk:
    """The chunk with the arguments (or the part of them) of one tool call replaced.

    Args:
        call: its index; in a whole reply its place among the calls. One that the chunk does not
            have gets a fragment in front of the others.
    """
    value = _object.decode(payload(chunk))
    where = "message" if chunk.whole else "delta"
    for one in value.get("choices", ()):
        if one.get("index", 0) == choice:
            _put_arguments(one.setdefault(where, {}), call, arguments, whole=chunk.whole)
    for known in chunk.choices:
        if known.index == choice:
            known.delta.tool_calls = _with_arguments(known.delta, call, arguments, chunk.whole)
    chunk.raw = _encode(value)
    return chunk


def _put_arguments(said: dict[str, Any], call: int, arguments: str, *, whole: bool) -> None:
    calls = said.get("tool_calls") or []
    for at, one in enumerate(calls):
        function = one.get("function")
        is_it = (at if whole else one.get("index", 0)) == call
        if is_it and function and function.get("arguments"):
            function["arguments"], arguments = arguments, ""
    if arguments:
        calls.insert(0, {"index": call, "function": {"arguments": arguments}})
    said["tool_calls"] = calls


def _with_arguments(delta: Delta, call: int, arguments: str, whole: bool) -> list[ToolCallDelta]:
    """The typed calls of a delta, new where they change: other readers have the same ones."""
    calls: list[ToolCallDelta] = []
    for at, one in enumerate(delta.tool_calls or ()):
        made = one
        if (at if whole else one.index) == call and one.function and one.function.arguments:
            function = FunctionDelta(one.function.name, arguments)
            made = ToolCallDelta(one.index, one.id, one.type, function)
            arguments = ""
        calls.append(made)
    if arguments:
        calls.insert(0, ToolCallDelta(call, function=FunctionDelta(arguments=arguments)))
    return calls


def set_logprobs(chunk: Chunk, logprobs: dict[int, dict[str, Any] | None]) -> Chunk:
    """The chunk with the probabilities of tokens of some choices replaced, by choice index."""
    value = _object.decode(payload(chunk))
    for choice in value.get("choices", ()):
        if choice.get("index", 0) in logprobs:
            choice["logprobs"] = logprobs[choice.get("index", 0)]
    for known in chunk.choices:
        if known.index in logprobs:
            known.logprobs = logprobs[known.index]
    chunk.raw = _encode(value)
    return chunk


def opened(chunk: Chunk) -> Chunk:
    """A whole reply with its choices; as it is where it has them, or none that can be read."""
    if not chunk.whole or chunk.choices:
        return chunk
    try:
        body = _body.decode(chunk.raw)
    except msgspec.MsgspecError:
        return chunk
    choices = [ChunkChoice(c.index, c.message, c.finish_reason) for c in body.choices]
    return Chunk(raw=chunk.raw, whole=True, choices=choices)

"""How an answer ends in the loop: what waits until it is known whether it is the last, and what
its caller is told of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from serve_app.core.types import Chunk, ChunkChoice, Usage
from serve_app.loop.said import TEXTS, Said
from serve_app.loop.seam import BETWEEN, speaks
from serve_app.wire.reply import payload

Json = dict[str, Any]

_FOLLOWS = "length"
"""Finish reason of an answer that wanted calls that are not made any more."""

_object = msgspec.json.Decoder(Json)
_chunk = msgspec.json.Decoder(Chunk)
_encode = msgspec.json.encode


class Split(Struct, frozen=True):
    """A chunk in two: what may go out now, and what waits for the end of the answer."""

    now: Chunk | None
    later: Chunk | None


def split(chunk: Chunk) -> Split:
    """Calls, the end and usage wait until it is known whether the answer is the last."""
    waits = chunk.usage is not None or any(
        choice.delta.tool_calls or choice.finish_reason is not None for choice in chunk.choices
    )
    if not waits:
        return Split(chunk, None)
    if not any(map(_says, chunk.choices)):
        return Split(None, chunk)
    return Split(_edited(chunk, _without_end, usage=False), _edited(chunk, _without_texts))


def is_usage_alone(chunk: Chunk) -> bool:
    """A part that tells of nothing but what was used so far."""
    return chunk.usage is not None and not any(
        choice.delta.tool_calls or choice.finish_reason is not None for choice in chunk.choices
    )


def _says(choice: ChunkChoice) -> bool:
    d = choice.delta
    return bool(d.content or d.reasoning_content or d.reasoning or d.refusal or d.role)


def _without_end(choice: Json) -> None:
    choice["finish_reason"] = None
    (choice.get("delta") or {}).pop("tool_calls", None)


def _without_texts(choice: Json) -> None:
    delta = choice.get("delta") or {}
    choice["delta"] = {n: v for n, v in delta.items() if n in ("tool_calls", "extra_content")}


def _edited(chunk: Chunk, edit: Callable[[Json], None], *, usage: bool = True) -> Chunk:
    """The chunk with its choices changed in its JSON, and read again from there."""
    value = _object.decode(payload(chunk))
    for choice in value.get("choices", ()):
        edit(choice)
    if not usage:
        value.pop("usage", None)
    raw = _encode(value)
    made = _chunk.decode(raw)
    made.raw = raw
    return made


# ----------------------------------------------------------------- the end


def without_calls(chunks: list[Chunk], dropped: set[int]) -> list[Chunk]:
    """The end of a stream without some of its calls; those that are left are numbered anew.

    Args:
        dropped: indexes of calls.
    """
    numbers: dict[int, int] = {}

    def edit(choice: Json) -> None:
        delta = choice.get("delta") or {}
        calls = delta.pop("tool_calls", None) or ()
        left = [call for call in calls if (call.get("index") or 0) not in dropped]
        for call in left:
            call["index"] = numbers.setdefault(call.get("index") or 0, len(numbers))
        if left:
            delta["tool_calls"] = left
        if choice.get("finish_reason") and not numbers:
            choice["finish_reason"] = _follows(choice["finish_reason"])

    made = [_edited(chunk, edit) for chunk in chunks]
    return [chunk for chunk in made if chunk.usage is not None or any(map(speaks, chunk.choices))]


def _follows(finish: str) -> str:
    return _FOLLOWS if finish in ("tool_calls", "function_call", "stop") else finish


def with_usage(chunk: Chunk, usage: Usage | None) -> Chunk:
    """The chunk with the usage of all answers in place of that of the last."""
    if chunk.usage is None or usage is None:
        return chunk
    value = _object.decode(payload(chunk))
    value["usage"] = {**(value.get("usage") or {}), **msgspec.to_builtins(usage)}
    made = replace(chunk, usage=usage)
    made.raw = _encode(value)
    return made


def whole_of(
    chunk: Chunk, before: list[Said], left: list[Json] | None, usage: Usage | None
) -> Chunk:
    """The last body with what earlier answers said in front of it.

    Args:
        left: the calls that are the caller's to make, where others are dropped; None: all.
        usage: of all answers; None: it stays as it is.
    """
    value = _object.decode(payload(chunk))
    choice = (value.get("choices") or [{}])[0]
    message = choice.setdefault("message", {})
    for name in TEXTS:
        texts = [said.texts[name] for said in before if said.texts.get(name)]
        if texts:
            last = message.get(name)
            message[name] = BETWEEN.join([*texts, last] if last else texts)
    if left is not None:
        message.pop("tool_calls", None)
        if left:
            message["tool_calls"] = left
        else:
            choice["finish_reason"] = _follows(str(choice.get("finish_reason") or "stop"))
    if usage is not None:
        value["usage"] = {**(value.get("usage") or {}), **msgspec.to_builtins(usage)}
    return Chunk(raw=_encode(value), whole=True)

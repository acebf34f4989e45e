"""OpenAI's replies: an event or a body in JSON in, a `Chunk` or a failure out."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.base import MALFORMED
from serve_app.backends.refusal import failure_inside, read_refusal
from serve_app.core.types import Chunk, ChunkChoice, Delta, Usage

_decode = msgspec.json.Decoder(Chunk).decode
_decode_any = msgspec.json.Decoder().decode
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode_chunk(payload: bytes, secret: str | None = None) -> Chunk:
    """One event's data as a chunk that keeps it as `raw`.

    Raises:
        AttemptFailed: it is not a chunk, or it is an error object.
    """
    try:
        if not payload.isascii():
            payload.decode()  # fields that nobody looks at must not smuggle broken UTF-8 through
        chunk = _decode(payload)
    except _BROKEN:
        chunk = _leniently(payload, secret)
    if not chunk.choices or chunk.choices[0].finish_reason == "error":
        _raise_error(payload, chunk, secret)
    if b"\n" in payload:  # white space between tokens, but it would break SSE framing
        payload = payload.replace(b"\n", b" ")
    chunk.raw, chunk.whole = payload, False
    return chunk


def _raise_error(payload: bytes, chunk: Chunk, secret: str | None) -> None:
    """Raise if the event is an error; events with no choice may also be usage or nothing."""
    refusal = read_refusal(payload) if b'"error"' in payload else None
    if refusal is not None:
        raise failure_inside(refusal, secret=secret)
    if chunk.choices:
        raise AttemptFailed("transient", "the provider ended the reply with an error")


def _leniently(payload: bytes, secret: str | None) -> Chunk:
    """A chunk with nulls and number types that OpenAI's API does not have; some providers do."""
    try:
        value = _decode_any(payload)
        refusal = read_refusal(payload)
        if refusal is None:
            return msgspec.convert(_without_nulls(value), Chunk, strict=False)
    except _BROKEN as error:
        raise AttemptFailed(
            "transient", "the provider sent an event that is no chunk", code=MALFORMED
        ) from error
    raise failure_inside(refusal, secret=secret)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --------------------------------------------------------------- whole replies


class _Choice(Struct):
    message: Delta
    index: int = 0
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class _Completion(Struct):
    """What we look at of a `chat.completion` body."""

    choices: list[_Choice]
    id: str | None = None
    model: str | None = None
    created: float | None = None
    usage: Usage | None = None


_decode_completion = msgspec.json.Decoder(_Completion).decode


def decode_whole(body: bytes, secret: str | None = None) -> Chunk:
    """A non-streaming reply's body as one whole chunk.

    Raises:
        AttemptFailed: it is not a completion, or it is an error object.
    """
    try:
        if not body.isascii():
            body.decode()
        completion = _decode_completion(body)
        if not completion.choices:
            raise msgspec.ValidationError("no choices")
    except _BROKEN as error:
        if (refusal := read_refusal(body)) is not None:
            raise failure_inside(refusal, secret=secret) from None
        raise AttemptFailed(
            "transient", "the provider's answer is no chat completion", code=MALFORMED
        ) from error
    return _as_chunk(completion, body)


def _as_chunk(completion: _Completion, body: bytes) -> Chunk:
    for choice in completion.choices:
        for at, call in enumerate(choice.message.tool_calls or ()):
            call.index = at
    return Chunk(
        id=completion.id or "",
        model=completion.model or "",
        created=int(completion.created or 0),
        choices=[
            ChunkChoice(c.index, c.message, c.finish_reason, c.logprobs) for c in completion.choices
        ],
        usage=completion.usage,
        raw=body,
        whole=True,
    )

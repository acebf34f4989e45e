"""A provider's reply as chunks: JSON payloads and bodies in, `Chunk`s or a failure out."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from msgspec import Struct

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.base import StreamDecoder
from serve_app.backends.refusal import failure_inside, read_refusal
from serve_app.backends.sse import Splitter
from serve_app.core.types import Chunk, ChunkChoice, Delta, Usage

LAST_EVENTS_S = 5.0
"""After the last finish reason only usage and `[DONE]` can come: nobody waits long for them."""

MAX_SKIPPED = 3
"""Malformed events in a row that are read past."""

MALFORMED = "malformed"
"""`code` of an event, or a reply, that is not understood."""

_decode = msgspec.json.Decoder(Chunk).decode
_decode_any = msgspec.json.Decoder().decode
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError)


class Source(Protocol):
    """Where the bytes of a stream come from; its limits of time are its own."""

    async def read(self) -> bytes:
        """The next piece, empty at the end. Raises `AttemptFailed`."""

    def hold(self) -> None:
        """Something real came."""

    def resume(self, at_most_s: float | None = None) -> None:
        """The next event is waited for."""


class ReplyStream:
    """One streamed reply: its events in batches, and whether it came to its end.

    Args:
        decoder: of the provider's dialect.
        choices: how many were asked for (`n`).
    """

    __slots__ = (
        "_choices", "_decoder", "_ended", "_failure", "_finished", "_malformed", "_seen",
        "_skipped", "_splitter",
    )  # fmt: skip

    def __init__(self, decoder: StreamDecoder, choices: int = 1) -> None:
        self._choices = choices
        self._decoder = decoder
        self._splitter = Splitter()
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._skipped = 0
        self._malformed: AttemptFailed | None = None
        self._ended = False
        self._failure: AttemptFailed | None = None

    async def next(self, source: Source) -> list[Chunk]:
        """Chunks that arrived together; empty once the reply is complete.

        Raises:
            AttemptFailed: the reply broke off, holds an error, or is not understood. Chunks
                that came before were returned.
        """
        source.resume(LAST_EVENTS_S if self._has_every_finish() else None)
        while not (self._ended or self._failure):
            if chunks := self._take(await self._read(source)):
                source.hold()
                return chunks
        if self._failure:
            raise self._failure
        return []

    async def _read(self, source: Source) -> bytes:
        try:
            return await source.read()
        except AttemptFailed:
            if self._has_every_finish():  # the answer is whole, only its goodbye is missing
                return b""
            raise

    def _take(self, data: bytes) -> list[Chunk]:
        chunks: list[Chunk] = []
        try:
            for event in self._splitter.feed(data) if data else self._splitter.finish():
                self._decode(event, chunks)
                if self._decoder.ended:
                    break
            if not data or self._decoder.ended:
                self._end()
        except AttemptFailed as failed:
            self._failure = failed
        return chunks

    def _decode(self, event: bytes, chunks: list[Chunk]) -> None:
        try:
            decoded = self._decoder.chunks(event)
        except AttemptFailed as failed:
            self._skip(failed)
            return
        if self._malformed is not None and decoded:
            decoded[0].skipped, self._skipped, self._malformed = self._skipped, 0, None
        for chunk in decoded:
            for choice in chunk.choices:
                self._seen.add(choice.index)
                if choice.finish_reason:
                    self._finished.add(choice.index)
            chunks.append(chunk)

    def _skip(self, failed: AttemptFailed) -> None:
        """Read past one malformed event; garbage that goes on is a failure."""
        if failed.code != MALFORMED:
            raise failed
        self._skipped += 1
        self._malformed = failed
        if self._skipped > MAX_SKIPPED:
            raise failed

    def _end(self) -> None:
        """The stream is over; without a finish reason for each choice it was cut."""
        said_so = self._decoder.ended
        complete = self._finished >= self._seen if said_so else self._has_every_finish()
        if not (complete and self._seen):
            raise self._malformed or AttemptFailed(
                "transient", "the reply broke off", code="truncated"
            )
        self._ended = True

    def _has_every_finish(self) -> bool:
        return len(self._finished) >= self._choices and self._finished >= self._seen


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


def as_events(whole: Chunk) -> list[Chunk]:
    """A whole reply as the chunks of a stream, for a provider that never streams."""
    value = _decode_any(whole.raw)
    head = {
        "id": whole.id,
        "object": "chat.completion.chunk",
        "created": whole.created,
        "model": whole.model,
    }
    events: list[dict[str, Any]] = []
    for known, choice in zip(whole.choices, value["choices"], strict=True):
        message = {k: v for k, v in (choice.get("message") or {}).items() if v is not None}
        for at, call in enumerate(message.get("tool_calls") or ()):
            call["index"] = at
        first = {"index": known.index, "delta": message, "finish_reason": None}
        if choice.get("logprobs") is not None:
            first["logprobs"] = choice["logprobs"]
        last = {"index": known.index, "delta": {}, "finish_reason": known.finish_reason or "stop"}
        events += [{**head, "choices": [first]}, {**head, "choices": [last]}]
    if whole.usage is not None:
        events.append({**head, "choices": [], "usage": value["usage"]})
    return [decode_chunk(msgspec.json.encode(event)) for event in events]

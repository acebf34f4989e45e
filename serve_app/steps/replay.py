"""Stored answers and replies, one made from the other, whichever shape each has."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from msgspec import Struct

from serve_app.core.kept import Entry
from serve_app.core.replay import events_of
from serve_app.core.types import Chunk, ChunkChoice, Delta, Usage
from serve_app.flights.base import Heading, Outcome
from serve_app.steps.record import Record
from serve_app.wire.reply import cached_usage_event, collect

_object = msgspec.json.Decoder(dict[str, Any]).decode
_payloads = msgspec.msgpack.Decoder(list[bytes])
_chunk = msgspec.json.Decoder(Chunk)


class Life(Struct, frozen=True):
    """From when to when an entry may be served; Unix seconds, 0 for ever."""

    stored_at: float
    expires_at: float
    fresh_until: float = 0.0
    tags: tuple[str, ...] = ()


def entry_from(record: Record, outcome: Outcome, life: Life) -> Entry:
    """The entry for a finished reply that is still whole in its record."""
    payloads = record.payloads()
    streamed = not record.is_whole
    return Entry(
        streamed=streamed,
        payload=msgspec.msgpack.encode(payloads) if streamed else _as_cached(payloads[0]),
        backend=outcome.backend,
        model=outcome.model,
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
        cost_micro_usd=outcome.cost_micro_usd,
        stored_at=life.stored_at,
        expires_at=life.expires_at,
        fresh_until=life.fresh_until,
        tags=life.tags,
    )


def _as_cached(body: bytes) -> bytes:
    """A body as it is served again: its usage says that it came out of the cache. Done when it is
    kept, so that serving it is no work."""
    value = _object(body)
    usage = value.get("usage")
    if not isinstance(usage, dict):
        return body
    details = usage.get("prompt_tokens_details")
    usage["prompt_tokens_details"] = {
        **(details if isinstance(details, dict) else {}),
        "cached_tokens": usage.get("prompt_tokens", 0),
    }
    usage["cached"] = True
    return msgspec.json.encode(value)


async def replayed(entry: Entry, *, with_usage: bool) -> AsyncGenerator[list[Chunk], None]:
    """The entry as a stream: the events it was made from, or those its body amounts to."""
    events = _events(entry)
    if with_usage:
        events = [
            *events,
            cached_usage_event(entry.model, entry.prompt_tokens, entry.completion_tokens),
        ]
    yield [_parsed(event) for event in events]


def replayed_whole(entry: Entry) -> Chunk:
    """The entry as one whole reply; its `choices` are not filled in, its `raw` is."""
    if not entry.streamed:
        return Chunk(raw=entry.payload, whole=True)
    chunks = [_parsed(event) for event in _events(entry)]
    usage = Usage.of(entry.prompt_tokens, entry.completion_tokens)
    return Chunk(raw=_as_cached(collect([*chunks, Chunk(usage=usage)])), whole=True)


class Ready:
    """A `Call` whose answer is there already.

    Args:
        chunks: all of it.
        outcome: what it came to when it was made.
    """

    def __init__(self, chunks: list[Chunk], outcome: Outcome) -> None:
        self._batches = iter([chunks])
        self.heading = Heading(outcome.backend, outcome.model)
        self.outcome = outcome

    def __aiter__(self) -> Ready:
        return self

    async def __anext__(self) -> list[Chunk]:
        for batch in self._batches:
            return batch
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """There is nothing to close."""


def given(text: str) -> Ready:
    """An answer that somebody wrote, for a warm-up."""
    return Ready([_whole(text)], Outcome(WRITTEN, WRITTEN))


def stored(entry: Entry, *, streaming: bool) -> Ready:
    """A stored answer, for who waited for it to be made elsewhere; it is kept already."""
    outcome = Outcome(
        backend=entry.backend,
        model=entry.model,
        prompt_tokens=entry.prompt_tokens,
        completion_tokens=entry.completion_tokens,
        cost_micro_usd=entry.cost_micro_usd,
        repeatable=False,
    )
    return Ready(_as_chunks(entry, streaming=streaming), outcome)


WRITTEN = "written"
"""Backend and model of an answer that no model made."""


def _whole(text: str) -> Chunk:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
        "logprobs": None,
    }
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    head = {"id": "chatcmpl-written", "object": "chat.completion", "created": 0, "model": WRITTEN}
    raw = msgspec.json.encode({**head, "choices": [choice], "usage": usage})
    said = ChunkChoice(0, Delta(role="assistant", content=text), "stop")
    return Chunk(id="chatcmpl-written", model=WRITTEN, choices=[said], raw=raw, whole=True)


def _as_chunks(entry: Entry, *, streaming: bool) -> list[Chunk]:
    if not streaming:
        return [replayed_whole(entry)]
    usage = cached_usage_event(entry.model, entry.prompt_tokens, entry.completion_tokens)
    return [_parsed(event) for event in (*_events(entry), usage)]


def _events(entry: Entry) -> list[bytes]:
    return _payloads.decode(entry.payload) if entry.streamed else events_of(entry.payload)


def _parsed(event: bytes) -> Chunk:
    chunk = _chunk.decode(event)
    chunk.raw = event
    return chunk

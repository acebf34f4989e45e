"""Stored answers and replies, one made from the other, whichever shape each has."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from serve_app.core.replay import events_of
from serve_app.core.types import Chunk, Entry, Usage
from serve_app.steps.record import Record
from serve_app.wire.reply import collect, usage_event

_payloads = msgspec.msgpack.Decoder(list[bytes])
_chunk = msgspec.json.Decoder(Chunk)


def entry_from(
    record: Record,
    usage: Usage,
    *,
    backend: str,
    model: str,
    cost_micro_usd: int,
    now: float,
    ttl_s: int,
) -> Entry:
    """The entry for a finished reply that is still whole in its record."""
    payloads = record.payloads()
    streamed = not record.is_whole
    return Entry(
        streamed=streamed,
        payload=msgspec.msgpack.encode(payloads) if streamed else payloads[0],
        backend=backend,
        model=model,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cost_micro_usd=cost_micro_usd,
        stored_at=now,
        expires_at=now + ttl_s,
    )


async def replayed(entry: Entry, *, with_usage: bool) -> AsyncGenerator[list[Chunk], None]:
    """The entry as a stream: the events it was made from, or those its body amounts to."""
    events = _events(entry)
    if with_usage:
        events = [
            *events,
            usage_event(entry.model, entry.prompt_tokens, entry.completion_tokens),
        ]
    yield [_parsed(event) for event in events]


def replayed_whole(entry: Entry) -> Chunk:
    """The entry as one whole reply; its `choices` are not filled in, its `raw` is."""
    if not entry.streamed:
        return Chunk(raw=entry.payload, whole=True)
    chunks = [_parsed(event) for event in _events(entry)]
    usage = Usage(
        prompt_tokens=entry.prompt_tokens,
        completion_tokens=entry.completion_tokens,
        total_tokens=entry.prompt_tokens + entry.completion_tokens,
    )
    return Chunk(raw=collect([*chunks, Chunk(usage=usage)]), whole=True)


def _events(entry: Entry) -> list[bytes]:
    return _payloads.decode(entry.payload) if entry.streamed else events_of(entry.payload)


def _parsed(event: bytes) -> Chunk:
    chunk = _chunk.decode(event)
    chunk.raw = event
    return chunk

"""A trail as it is kept: what is known of a request, bounded, packed, and out again."""

from __future__ import annotations

import zlib
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from serve_app.core.shown import shown
from serve_app.core.trail import Note
from serve_app.observe.observer import RequestEnd

Document = dict[str, Any]

_MAX_NOTES: Final = 400
_MAX_CHARS: Final = 500
"""Of one fact: what a provider complains of may be long."""
_LEVEL: Final = 1
"""Of zlib."""
_LARGE: Final = 2048
"""Bytes from which it pays: a usual trail has 1000; packing it takes 3 us, zlib 25 (measured)."""
_PACKED, _PLAIN = b"z", b"m"


class Kept(Struct, array_like=True):
    """What is kept of a request. Kept ones are read by later versions: new fields go to the end,
    with a default."""

    request_id: str
    trace_id: str
    began_at: float
    """Unix seconds."""
    ms: float
    route: str
    status: int
    error: str
    tenant: str
    team: str
    user: str
    key_id: str
    session: str
    backend: str
    model: str
    cache: str
    streamed: bool
    prompt_tokens: int
    completion_tokens: int
    cost_micro_usd: int
    saved_micro_usd: int
    first_content_ms: float | None
    notes: list[Note]
    notes_left_out: int


_encode: Final = msgspec.msgpack.Encoder(enc_hook=str).encode
_decode: Final = msgspec.msgpack.Decoder(Kept).decode


def kept(end: RequestEnd) -> Kept:
    """What is kept of a request: its facts, and its trail."""
    trail = end.trail
    notes = trail.notes[:_MAX_NOTES]
    first_s = end.first_content_s
    return Kept(
        trail.request_id,
        trail.trace_id,
        trail.began_at,
        round(end.duration_s * 1000, 3),
        end.route,
        end.status,
        end.error,
        end.tenant,
        end.team,
        end.user,
        end.key_id,
        end.session,
        end.backend,
        end.model,
        end.cache,
        end.streamed,
        end.prompt_tokens,
        end.completion_tokens,
        end.cost_micro_usd,
        end.saved_micro_usd,
        None if first_s is None else round(first_s * 1000, 3),
        notes,
        len(trail.notes) - len(notes),
    )


def packed(one: Kept, max_bytes: int) -> bytes:
    """For the store. Of what is too large the last half of the notes is left out, as often as it
    takes."""
    raw = _encode(one)
    while len(raw) > max_bytes and one.notes:
        half = len(one.notes) // 2
        one.notes_left_out += len(one.notes) - half
        one.notes = one.notes[:half]
        raw = _encode(one)
    if len(raw) < _LARGE:
        return _PLAIN + raw
    return _PACKED + zlib.compress(raw, _LEVEL)


def unpacked(stored: bytes) -> Document:
    """What was packed, as plain data."""
    raw = stored[1:]
    one = _decode(zlib.decompress(raw) if stored[:1] == _PACKED else raw)
    return {**structs.asdict(one), "notes": [_shown(note) for note in one.notes]}


def _shown(note: Note) -> dict[str, Any]:
    made = shown(note)
    facts = made["facts"]
    for name, value in facts.items():
        if isinstance(value, str) and len(value) > _MAX_CHARS:
            facts[name] = f"{value[:_MAX_CHARS]}…"
    return made

"""How an answer looks in Redis: an entry in, bytes out, and back.

The first byte says the format: 1 is MessagePack, 2 is MessagePack compressed with zlib.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from serve_app.core.types import Entry

_PLAIN: Final = b"\x01"
_DEFLATED: Final = b"\x02"
_DEFLATE_FROM: Final = 1024
"""Bytes below which compressing costs more than it saves."""
_DEFLATE_LEVEL: Final = 1
_FIELDS_BYTES: Final = 4096
"""Room for everything in an entry besides its payload."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Entry)


class Corrupt(ValueError):
    """A stored value that cannot be read: damaged, or written by another version."""


def pack(entry: Entry) -> bytes:
    plain = _ENCODER.encode(entry)
    if len(plain) > _DEFLATE_FROM:
        deflated = zlib.compress(plain, _DEFLATE_LEVEL)
        if len(deflated) < len(plain):
            return _DEFLATED + deflated
    return _PLAIN + plain


def unpack(value: bytes, max_payload_bytes: int) -> Entry:
    """The entry of a packed value.

    Raises:
        Corrupt: not a value of ours, or its payload would be larger than `max_payload_bytes`.
    """
    try:
        return _DECODER.decode(_inflated(value, max_payload_bytes + _FIELDS_BYTES))
    except (msgspec.DecodeError, UnicodeDecodeError, zlib.error) as error:
        raise Corrupt(str(error)) from error


def _inflated(value: bytes, limit: int) -> bytes:
    """MessagePack of a value; reads at most `limit` bytes out of compressed data."""
    form, body = value[:1], value[1:]
    if form == _PLAIN:
        return body
    if form != _DEFLATED:
        raise Corrupt(f"unknown format {form.hex() or 'of an empty value'}")
    stream = zlib.decompressobj()
    plain = stream.decompress(body, limit)
    if not stream.eof:
        raise Corrupt("cut off, or larger than an entry may be")
    return plain

"""How an answer looks in Redis: an entry in, bytes out, and back.

The first byte says the format. 3 and 4 are: four bytes with the length of the head, the head
(MessagePack of the entry without its payload), the payload (4: compressed with zlib). So the
head can be read without the payload. Of older versions there may be 1, MessagePack of the whole
entry, and 2, the same compressed.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec
from msgspec.structs import replace

from serve_app.core.kept import Entry

_OLD_PLAIN: Final = b"\x01"
_OLD_DEFLATED: Final = b"\x02"
_PLAIN: Final = b"\x03"
_DEFLATED: Final = b"\x04"
_LENGTH_BYTES: Final = 4
_DEFLATE_FROM: Final = 1024
"""Bytes below which compressing costs more than it saves."""
_DEFLATE_LEVEL: Final = 1
"""zlib makes of answers of 0.6, 2 and 20 kB 0.4, 1.1 and 10 kB, in 8, 16 and 259 us, and back in
4, 8 and 66 us. zstandard is as small and takes a third to a half of the time (measured): not
enough to need another package."""
_FIELDS_BYTES: Final = 4096
"""Room for everything in an old entry besides its payload."""

HEAD_BYTES: Final = 2048
"""As much of a value as holds any usual head."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Entry)
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, zlib.error)


class Corrupt(ValueError):
    """A stored value that cannot be read: damaged, or written by another version."""


def pack(entry: Entry) -> bytes:
    head = _ENCODER.encode(replace(entry, payload=b""))
    form, payload = _PLAIN, entry.payload
    if len(payload) > _DEFLATE_FROM:
        deflated = zlib.compress(payload, _DEFLATE_LEVEL)
        if len(deflated) < len(payload):
            form, payload = _DEFLATED, deflated
    return b"".join((form, len(head).to_bytes(_LENGTH_BYTES), head, payload))


def unpack(value: bytes, max_payload_bytes: int) -> Entry:
    """The entry of a packed value.

    Raises:
        Corrupt: not a value of ours, or its payload would be larger than `max_payload_bytes`.
    """
    try:
        form = value[:1]
        if form in (_OLD_PLAIN, _OLD_DEFLATED):
            return _unpack_old(form, value[1:], max_payload_bytes)
        entry, end = _head(value)
        entry.payload = value[end:]
        if form == _DEFLATED:
            entry.payload = _inflated(entry.payload, max_payload_bytes)
        return entry
    except _UNREADABLE as error:
        raise Corrupt(str(error)) from error


def unpack_head(start: bytes) -> Entry | None:
    """The entry without its payload, from the first `HEAD_BYTES` of a value; None: it has no head
    that can be read from so little."""
    try:
        return _head(start)[0]
    except (Corrupt, *_UNREADABLE):
        return None


def _head(value: bytes) -> tuple[Entry, int]:
    """The entry without its payload, and where its payload begins."""
    form = value[:1]
    if form not in (_PLAIN, _DEFLATED):
        raise Corrupt(f"unknown format {form.hex() or 'of an empty value'}")
    begin = 1 + _LENGTH_BYTES
    end = begin + int.from_bytes(value[1:begin])
    return _DECODER.decode(value[begin:end]), end


def _unpack_old(form: bytes, body: bytes, max_payload_bytes: int) -> Entry:
    if form == _OLD_DEFLATED:
        body = _inflated(body, max_payload_bytes + _FIELDS_BYTES)
    return _DECODER.decode(body)


def _inflated(body: bytes, limit: int) -> bytes:
    """Compressed data, read to its end but no further than `limit` bytes."""
    stream = zlib.decompressobj()
    plain = stream.decompress(body, limit + 1)
    if not stream.eof or len(plain) > limit:
        raise Corrupt("cut off, or larger than an entry may be")
    return plain

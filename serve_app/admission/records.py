"""Key records as Redis holds them, and how one follows from another."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace

from serve_app.core.api_key import digest
from serve_app.core.key_record import KeyChange, KeyRecord, KeyTerms

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(KeyRecord).decode


class UnreadableRecord(ValueError):
    """What is stored is not a record that this version understands."""


def pack(record: KeyRecord) -> bytes:
    """`version:` for the script that compares it, then the record as MessagePack."""
    return b"%d:%b" % (record.version, _encode(record))


def unpack(stored: bytes) -> KeyRecord:
    """
    Raises:
        UnreadableRecord: the message holds nothing of what is stored.
    """
    _, _, packed = stored.partition(b":")
    try:
        return _decode(packed)
    except (msgspec.MsgspecError, RecursionError):
        raise UnreadableRecord("not a record of this version") from None


def of_terms(terms: KeyTerms, key: str, now: float) -> KeyRecord:
    """The record of a key that was made now."""
    return KeyRecord(sha256=digest(key).hex(), created_at=int(now), **asdict(terms))


def changed(record: KeyRecord, change: KeyChange) -> KeyRecord:
    """A record with everything that the change names."""
    named = {name: value for name, value in asdict(change).items() if value is not UNSET}
    return following(record, **named)


def following(record: KeyRecord, **fields: object) -> KeyRecord:
    """The next version of a record."""
    return replace(record, version=record.version + 1, **fields)


def successor(record: KeyRecord, key: str, now: float) -> KeyRecord:
    """The record of a key that was made now, in place of another's."""
    return replace(
        record,
        sha256=digest(key).hex(),
        # Who had no name but the key's id keeps it: limits and figures are by user.
        user=record.user or record.id,
        created_at=int(now),
        replaces=record.id,
        replaced_by="",
        retires_at=0,
        version=1,
        origin=record.account,
    )


def retiring(record: KeyRecord, new: KeyRecord, ends: float) -> KeyRecord:
    """A record once its key was replaced; its end is never put off."""
    retires_at = min(int(ends), record.retires_at or int(ends))
    return following(record, replaced_by=new.id, retires_at=retires_at)

"""What a flight says to other replicas, as the elements of a list in Redis.

An element is a letter and msgpack: `b` a batch; or the mark that ends a list, `e` the end of the
answer, `l` that it grew too long to be told. The letters are known to `flight_lead.lua`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from serve_app.core.types import Chunk
from serve_app.flights.base import Heading, Outcome
from serve_app.flights.failure import Failure


class Said(Struct, array_like=True):
    """One batch, and who answers."""

    heading: Heading
    batch: list[Chunk]


class End(Struct, array_like=True):
    """One of the two is set."""

    outcome: Outcome | None = None
    failure: Failure | None = None


class TooLong(Struct):
    """The rest is not told."""


Element = Said | End | TooLong

TOO_LONG = b"l"

_encode = msgspec.msgpack.encode
_said = msgspec.msgpack.Decoder(Said).decode
_end = msgspec.msgpack.Decoder(End).decode


def batch_element(heading: Heading, batch: list[Chunk]) -> bytes:
    return b"b" + _encode(Said(heading, batch))


def end_element(outcome: Outcome | None, failure: Failure | None) -> bytes:
    return b"e" + _encode(End(outcome, failure))


def read(element: bytes) -> Element:
    """What an element says; of a replica of another version perhaps nothing that we understand,
    which is as good as too long."""
    letter, body = element[:1], memoryview(element)[1:]
    try:
        if letter == b"b":
            return _said(body)
        if letter == b"e":
            return _end(body)
    except msgspec.MsgspecError:
        pass
    return TooLong()

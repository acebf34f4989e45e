from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.cache.packing import Corrupt, pack, unpack
from serve_app.core.types import Entry

LIMIT = 100_000


def entry(payload: bytes) -> Entry:
    return Entry(True, payload, "alpha", "mini", 1, 2, 3, 10.5, 20.5)


@given(st.binary(max_size=3000))
def test_what_is_packed_comes_back(payload: bytes) -> None:
    assert unpack(pack(entry(payload)), LIMIT) == entry(payload)


def test_long_text_is_compressed() -> None:
    assert len(pack(entry(b"hello world " * 1000))) < 1000


def test_what_does_not_compress_is_stored_as_it_is() -> None:
    noise = zlib.compress(bytes(range(256)) * 40, 9) * 10
    packed = pack(entry(noise))
    assert unpack(packed, LIMIT).payload == noise
    assert len(packed) < len(noise) + 300


PACKED = pack(entry(b"hello world " * 1000))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x00",
        b"\x09" + PACKED[1:],
        b"\x01",
        b"\x01garbage",
        b"\x02garbage",
        PACKED[:-10],
        PACKED[:40] + b"\xff\xff" + PACKED[42:],
        b"\x01" + msgspec.msgpack.encode({"payload": "text"}),
        b"\x01" + msgspec.msgpack.encode(entry(b"x")) + b"more",
    ],
)
def test_a_damaged_value_is_corrupt(value: bytes) -> None:
    with pytest.raises(Corrupt):
        unpack(value, LIMIT)


def test_a_small_value_cannot_unpack_into_a_huge_one() -> None:
    with pytest.raises(Corrupt):
        unpack(pack(entry(b"0" * 10_000_000)), LIMIT)

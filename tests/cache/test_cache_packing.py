from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.cache.packing import HEAD_BYTES, Corrupt, pack, unpack, unpack_head
from serve_app.core.kept import Entry

LIMIT = 100_000


def entry(payload: bytes) -> Entry:
    return Entry(True, payload, "alpha", "mini", 1, 2, 3, 10.5, 20.5, 15.5, ("faq", "常"), 9.5)


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
        b"\x03",
        b"\x03\x00\x00",
        b"\x03\xff\xff\xff\xff" + PACKED[5:],
        b"\x04" + pack(entry(b"short"))[1:],
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


def as_stored_before(payload: bytes) -> tuple[dict[str, object], Entry]:
    """An entry of the time before `fresh_until`, `tags` and `asked_at`, and what it is now."""
    now = Entry(True, payload, "alpha", "mini", 1, 2, 3, 10.5, 20.5)
    names = Entry.__struct_fields__[:9]
    return {name: getattr(now, name) for name in names}, now


def test_values_of_older_versions_are_read() -> None:
    fields, now = as_stored_before(b"hello " * 1000)
    plain = msgspec.msgpack.encode(fields)
    assert unpack(b"\x01" + plain, LIMIT) == now
    assert unpack(b"\x02" + zlib.compress(plain, 1), LIMIT) == now
    with pytest.raises(Corrupt):
        unpack(b"\x02" + zlib.compress(plain, 1), 1000)


@pytest.mark.parametrize("payload", [b"short", b"long text " * 10_000])
def test_the_head_is_read_without_the_payload(payload: bytes) -> None:
    head = unpack_head(pack(entry(payload))[:HEAD_BYTES])
    assert head == entry(b"")


@pytest.mark.parametrize("start", [b"", b"\x01abc", b"\x02abc", b"\x03abc", PACKED[:20]])
def test_what_has_no_readable_head_says_so(start: bytes) -> None:
    assert unpack_head(start) is None


def test_the_payload_may_be_as_large_as_allowed_and_no_larger() -> None:
    packed = pack(entry(b"0" * LIMIT))
    assert len(unpack(packed, LIMIT).payload) == LIMIT
    with pytest.raises(Corrupt):
        unpack(packed, LIMIT - 1)

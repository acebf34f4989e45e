"""Multipart forms: cut at any byte they are the same form; what is none is refused."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.errors import BadRequest
from serve_app.wire.form import MAX_FIELD_BYTES, Field, FileBegins, FileEnds, Form, Piece

TYPE = "multipart/form-data; boundary=frontier"


def part(disposition: str, content: bytes) -> bytes:
    return b"--frontier\r\nContent-Disposition: %b\r\n\r\n%b\r\n" % (disposition.encode(), content)


BODY = (
    part('form-data; name="purpose"', b"batch")
    + part(
        'form-data; name="file"; filename="grüße.jsonl"',
        b'{"a": 1}\r\n--frontie\r\n--frontier-\n{"b"}\n',
    )
    + part('form-data; name="expires_after[seconds]"', b"3600")
    + b"--frontier--\r\n"
)
CONTENT = b'{"a": 1}\r\n--frontie\r\n--frontier-\n{"b"}\n'


def read(pieces: Iterable[bytes], content_type: str | None = TYPE) -> tuple[list[object], bytes]:
    """The form's events, without pieces, and the pieces joined."""
    form = Form(content_type)
    events = [event for piece in pieces for event in form.feed(piece)]
    form.end()
    content = b"".join(event.data for event in events if isinstance(event, Piece))
    return [event for event in events if not isinstance(event, Piece)], content


EXPECTED = [
    Field("purpose", "batch"),
    FileBegins("file", "grüße.jsonl"),
    FileEnds(),
    Field("expires_after[seconds]", "3600"),
]


@pytest.mark.parametrize("at", range(len(BODY) + 1))
def test_cut_at_any_byte_it_is_the_same_form(at: int) -> None:
    assert read([BODY[:at], BODY[at:]]) == (EXPECTED, CONTENT)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16])
def test_in_pieces_of_any_size_too(size: int) -> None:
    pieces = [BODY[at : at + size] for at in range(0, len(BODY), size)]
    assert read(pieces) == (EXPECTED, CONTENT)


@given(content=st.binary(max_size=300), cuts=st.lists(st.integers(0, 500), max_size=5))
def test_any_content_comes_out_as_it_went_in(content: bytes, cuts: list[int]) -> None:
    safe = content.replace(b"--frontier", b"--FRONTIER")
    body = part('form-data; name="file"; filename="f"', safe) + b"--frontier--\r\n"
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    pieces = [body[a:b] for a, b in zip(places, [*places[1:], len(body)], strict=True)]
    assert read(pieces) == ([FileBegins("file", "f"), FileEnds()], safe)


@given(garbage=st.binary(max_size=200))
def test_garbage_is_refused_or_a_form_and_nothing_else(garbage: bytes) -> None:
    with suppress(BadRequest):
        read([garbage])


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/json", "multipart/form-data", "multipart/form-data; boundary=",
     "multipart/mixed; boundary=frontier", f"multipart/form-data; boundary={'x' * 5000}"],
)  # fmt: skip
def test_what_is_no_form_is_refused(content_type: str | None) -> None:
    with pytest.raises(BadRequest):
        read([BODY], content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        BODY[:-12],
        b"--frontier\r\n\r\nno name\r\n--frontier--\r\n",
        part('form-data; name="a\x01"', b"") + b"--frontier--",
        part('form-data; name="purpose"', b"\xff\xfe") + b"--frontier--",
        part('form-data; name="purpose"', b"x" * (MAX_FIELD_BYTES + 1)) + b"--frontier--",
        part('form-data; name="p"', b"") * 40 + b"--frontier--",
        part(f'form-data; name="file"; filename="{"x" * 300}"', b"") + b"--frontier--",
        b"--frontier\r\nX: " + b"x" * 10_000 + b"\r\n\r\n\r\n--frontier--",
    ],
)
def test_a_bad_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read([body])

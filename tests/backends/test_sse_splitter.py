from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.backends.base import AttemptFailed
from serve_app.backends.sse import Splitter

EVENT = 'data: {"text": "grüß 世界"}\n\n'.encode()


def feed_all(splitter: Splitter, pieces: Iterable[bytes]) -> list[bytes]:
    return [event for piece in pieces for event in splitter.feed(piece)]


def split(*pieces: bytes) -> list[bytes]:
    return feed_all(Splitter(), pieces)


def test_several_events_in_one_packet() -> None:
    assert split(b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n") == [b"1", b"2", b"[DONE]"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_any_line_end_ends_a_line(end: bytes) -> None:
    stream = b"data: 1" + end + end + b": comment" + end + b"data: 2" + end + end
    assert split(stream) == [b"1", b"2"]


def test_a_crlf_cut_in_two_is_one_line_end() -> None:
    assert split(b"data: 1\r", b"\n\r", b"\ndata: 2\r\n\r\n") == [b"1", b"2"]


def test_the_space_after_the_colon_is_optional_and_only_one_is_dropped() -> None:
    assert split(b"data:1\n\ndata:  2\n\n") == [b"1", b" 2"]


def test_data_lines_of_one_event_are_joined_by_a_line_feed() -> None:
    assert split(b"data: a\ndata: b\ndata\n\n") == [b"a\nb\n"]


def test_comments_other_fields_and_blank_lines_give_nothing() -> None:
    assert split(b": keep-alive\n\nevent: x\nid: 7\nretry: 10\ndatabase: 1\n\n\n\n") == []


def test_a_comment_between_events_is_skipped() -> None:
    assert split(b"data: 1\n\n: ping\n\ndata: 2\n\n") == [b"1", b"2"]


def test_a_byte_order_mark_at_the_start_is_skipped_even_if_cut() -> None:
    assert split(b"\xef", b"\xbb", b"\xbfdata: 1\n\n") == [b"1"]
    assert split(b"\xef\xbb\xbfdata: 1\n\n") == [b"1"]


def test_a_byte_order_mark_later_is_no_mark() -> None:
    assert split(b"data: 1\n\n", b"\xef\xbb\xbfdata: 2\n\n") == [b"1"]


def test_an_event_without_its_blank_line_comes_with_the_end() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: 1\n\ndata: [DO") == [b"1"]
    assert splitter.feed(b"NE]") == []
    assert splitter.finish() == [b"[DONE]"]


def test_an_event_that_never_ends_is_an_error() -> None:
    splitter = Splitter(max_event_bytes=1000)
    with pytest.raises(AttemptFailed, match="more than 1000 bytes"):
        feed_all(splitter, [b"x" * 100] * 20)


@pytest.mark.parametrize("line", [b"data: 0123456789\n", b"data:x\n", b"data\n"])
def test_an_event_of_endless_lines_is_an_error(line: bytes) -> None:
    splitter = Splitter(max_event_bytes=1000)
    with pytest.raises(AttemptFailed):
        feed_all(splitter, [line] * 2000)


def test_many_events_together_may_be_larger_than_one() -> None:
    splitter = Splitter(max_event_bytes=1000)
    assert len(splitter.feed(b"data: 0123456789\n\n" * 200)) == 200


LINES = st.sampled_from(
    [
        b"data: x",
        b"data:y",
        b"data:",
        b"data",
        b": c",
        b"event: e",
        b"",
        b"",
        "data: {ü世}".encode(),
        b"dat",
        b"data: ",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=30).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


@given(
    stream=st.one_of(STREAMS, STREAMS.map(lambda s: b"\xef\xbb\xbf" + s)),
    cuts=st.lists(st.integers(0, 300), max_size=12),
)
def test_any_split_gives_the_events_of_the_unsplit_stream(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(places)]
    one, many = Splitter(), Splitter()
    expected = one.feed(stream) + one.finish()
    assert feed_all(many, pieces) + many.finish() == expected


@given(STREAMS)
def test_the_fast_way_agrees_with_the_slow_one(stream: bytes) -> None:
    fast, slow = Splitter(), Splitter()
    assert fast.feed(stream) == feed_all(slow, (bytes([byte]) for byte in stream))


def test_every_cut_of_an_event_gives_the_event() -> None:
    payload = EVENT[6:-2]
    for cut in range(len(EVENT) + 1):
        assert split(EVENT[:cut], EVENT[cut:] + EVENT) == [payload, payload]

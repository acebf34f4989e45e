"""`traceparent` as W3C Trace Context has it: what is one, what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.trace import Trace, read_trace
from serve_app.core.trail import Trail

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01".encode()


def test_a_callers_place_is_read_and_told_again() -> None:
    place = read_trace(GOOD, b"rojo=1,congo=2")
    assert place == Trace(TRACE, SPAN, True, "rojo=1,congo=2")
    assert place.headers() == {"traceparent": GOOD.decode(), "tracestate": "rojo=1,congo=2"}
    assert Trace(TRACE, SPAN, False).headers() == {"traceparent": f"00-{TRACE}-{SPAN}-00"}


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("fe", False),
                                                ("ff", True), ("03", True)])  # fmt: skip
def test_only_the_lowest_flag_counts(flags: str, sampled: bool) -> None:
    place = read_trace(f"00-{TRACE}-{SPAN}-{flags}".encode())
    assert place is not None
    assert place.is_sampled is sampled


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        b"00",
        GOOD + b"-more",  # version 00 has four parts
        GOOD + b" ",
        b" " + GOOD,
        GOOD.upper(),
        GOOD.replace(b"-", b"_"),
        b"ff" + GOOD[2:],
        b"0x" + GOOD[2:],
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"00-{TRACE[1:]}-{SPAN}-01".encode(),
        f"00-{TRACE}-{SPAN}0-01".encode(),
        f"00-{TRACE}-{SPAN}-1".encode(),
        f"01-{TRACE}-{SPAN}-01more".encode(),
        b"01" + GOOD[2:] + b"-" + b"x" * 300,
        "00-４bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".encode(),
    ],
)
def test_what_is_no_traceparent_is_nobodys_place(parent: bytes) -> None:
    assert read_trace(parent) is None


def test_later_versions_may_say_more() -> None:
    assert read_trace(b"cc" + GOOD[2:]) == Trace(TRACE, SPAN, True)
    assert read_trace(b"cc" + GOOD[2:] + b"-what-comes") == Trace(TRACE, SPAN, True)


@pytest.mark.parametrize("state", [b"a=" + b"x" * 600, b"a=\r\nx: y", "a=é".encode(), b"a=\x00"])
def test_a_state_that_is_none_is_left_out(state: bytes) -> None:
    assert read_trace(GOOD, state) == Trace(TRACE, SPAN, True)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_whatever_comes_it_is_a_place_or_none(parent: bytes, state: bytes) -> None:
    place = read_trace(parent, state)
    assert place is None or read_trace(place.parent.encode()) is not None


def test_endless_headers_are_no_places() -> None:
    for hostile in (b"00-" * 100_000, b"0" * 100_000, GOOD + b"-" * 100_000):
        assert read_trace(hostile, hostile) is None


def test_calls_stand_below_the_request_where_somebody_traces() -> None:
    trail = Trail("r")
    assert (trail.child(), trail.trace_id) == (None, "")
    trail.trace = read_trace(GOOD, b"a=b")
    assert trail.child() == trail.trace
    trail.span = Trace(TRACE, "1" * 16, True, "a=b")
    first, second = trail.child(), trail.child()
    assert first is not None
    assert second is not None
    assert (first.trace_id, first.is_sampled, first.state) == (TRACE, True, "a=b")
    assert len({first.span_id, second.span_id, "1" * 16, SPAN}) == 4
    assert trail.trace_id == TRACE

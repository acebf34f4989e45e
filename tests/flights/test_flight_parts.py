"""Buffer, copies, errors as values and what is said across replicas."""

from __future__ import annotations

import msgspec
import pytest
from flights.flight_calls import chunk

from serve_app.core.errors import BadRequest, GatewayError, RateLimited
from serve_app.core.types import (
    Chunk,
    ChunkChoice,
    Delta,
    FunctionDelta,
    ToolCallDelta,
    Usage,
)
from serve_app.flights import said
from serve_app.flights.base import Heading, Outcome
from serve_app.flights.buffer import Buffer
from serve_app.flights.copies import copied
from serve_app.flights.failure import Failure

RICH = Chunk(
    id="x",
    model="m",
    created=7,
    choices=[
        ChunkChoice(
            index=1,
            delta=Delta(
                role="assistant",
                content="héllo",
                reasoning_details=[{"type": "reasoning.text", "signature": "s"}],
                tool_calls=[ToolCallDelta(0, "c", "function", FunctionDelta("f", "{}"))],
            ),
            finish_reason="stop",
            logprobs={"content": [{"token": "a", "logprob": -0.5, "bytes": None}]},
        ),
        ChunkChoice(),
    ],
    usage=Usage(1, 2, 3, completion_tokens_details={"reasoning_tokens": 1}),
    raw=b'{"any": "\xff bytes"}',
    whole=True,
    skipped=2,
)


def test_a_buffer_counts_what_it_holds() -> None:
    buffer = Buffer(100)
    for word in ("a", "b", "c"):
        buffer.add([chunk(word)])
    size = len(chunk("a").raw)
    assert (buffer.end, buffer.bytes, buffer.is_long) == (3, 3 * size, True)
    buffer.forget_before(2)
    buffer.forget_before(1)
    assert (buffer.first, buffer.end, buffer.bytes) == (2, 3, size)
    assert buffer[2][0].choices[0].delta.content == "c"
    assert buffer.is_long
    assert not buffer.is_full
    buffer.clear()
    assert (buffer.first, buffer.end, buffer.bytes, buffer.is_long) == (0, 0, 0, False)


def test_chunks_without_their_bytes_have_a_size_too() -> None:
    buffer = Buffer(10_000)
    call = ToolCallDelta(function=FunctionDelta(arguments="x" * 1000))
    delta = Delta(content="y" * 1000, reasoning_content="z" * 1000, tool_calls=[call])
    buffer.add([Chunk(choices=[ChunkChoice(delta=delta)])])
    assert 3000 <= buffer.bytes < 4000


def test_a_copy_is_equal_and_ones_own() -> None:
    [copy] = copied([RICH])
    assert copy == RICH
    before = msgspec.json.encode(RICH)
    copy.raw = b""
    copy.choices[0].delta.content = "other"
    copy.choices[0].finish_reason = None
    copy.choices.pop()
    assert msgspec.json.encode(RICH) == before


def test_what_is_said_arrives_whole() -> None:
    heading = Heading("hosted", "org/m")
    assert said.read(said.batch_element(heading, [RICH, chunk("a")])) == said.Said(
        heading, [RICH, chunk("a")]
    )
    outcome = Outcome("hosted", "m", 2, 3, 4, 5, repeatable=False)
    assert said.read(said.end_element(outcome, None)) == said.End(outcome)
    failure = Failure.of(RateLimited("x", retry_after_s=1.5))
    assert said.read(said.end_element(None, failure)) == said.End(None, failure)
    assert said.read(said.TOO_LONG) == said.TooLong()


@pytest.mark.parametrize("element", [b"", b"b", b"b\x00", b"e\xff", b"?\x90", b"b\x92\x01\x02"])
def test_what_cannot_be_read_is_as_good_as_too_long(element: bytes) -> None:
    assert said.read(element) == said.TooLong()


def test_an_error_is_made_again_as_it_was() -> None:
    class Special(BadRequest):
        pass

    for error in (
        BadRequest("no", param="messages[0]", code="context_length_exceeded"),
        RateLimited("slow", retry_after_s=2.5),
        Special("odd"),
        GatewayError("x"),
    ):
        again = Failure.of(error).error()
        assert again is not error
        assert isinstance(error, type(again))
        assert again.status == error.status
        assert (again.message, again.code, again.param, again.retry_after_s) == (
            error.message, error.code, error.param, error.retry_after_s,
        )  # fmt: skip


def test_an_error_of_another_version_is_an_error() -> None:
    assert type(Failure("Unheard", "x", "y").error()) is GatewayError

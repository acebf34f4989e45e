"""However the network cuts a stream into packets, the chunks are the same."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from backend_calls import call
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_streams import ANTHROPIC, GEMINI, OPENAI_SHAPED

from serve_app.backends.dialects.anthropic import AnthropicDialect
from serve_app.backends.dialects.base import Dialect
from serve_app.backends.dialects.gemini import GeminiDialect
from serve_app.backends.dialects.openai import OpenAIDialect
from serve_app.backends.reply import ReplyStream
from serve_app.config.backend_settings import HostedBackend
from serve_app.core.clock import FakeClock
from serve_app.core.types import Chunk


class Packets:
    """A stream in pieces; nobody waits for them."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        return next((piece for piece in self._pieces if piece), b"")

    def hold(self) -> None:
        """There is no limit of time here."""

    def resume(self, at_most_s: float | None = None) -> None:
        """There is no limit of time here."""


def dialect(kind: str) -> Dialect:
    settings = HostedBackend.model_validate(
        {
            "name": "test",
            "kind": kind,
            "base_url": "http://127.0.0.1/v1",
            "models": [{"id": "any", "context": 4096}],
        }
    )
    match kind:
        case "anthropic":
            return AnthropicDialect(settings, FakeClock())
        case "gemini":
            return GeminiDialect(settings, FakeClock())
        case _:
            return OpenAIDialect(settings)


CALL = call("any", stream=True)

STREAMS: dict[str, tuple[bytes, Dialect]] = {
    **{name: (stream, dialect("openai")) for name, stream in OPENAI_SHAPED.items()},
    "anthropic": (ANTHROPIC, dialect("anthropic")),
    "gemini": (GEMINI, dialect("gemini")),
}

EVERY = pytest.mark.parametrize("name", STREAMS)


async def read(name: str, pieces: Sequence[bytes]) -> list[Chunk]:
    """The chunks of a stream that comes in these pieces."""
    packets, reply = Packets(pieces), ReplyStream(STREAMS[name][1].decoder(CALL, None))
    chunks: list[Chunk] = []
    while batch := await reply.next(packets):
        chunks += batch
    return chunks


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    borders = [0, *sorted(places), len(stream)]
    return [stream[begin:end] for begin, end in pairwise(borders)]


@EVERY
async def test_a_stream_has_what_a_caller_would_see(name: str) -> None:
    chunks = await read(name, [STREAMS[name][0]])
    assert any(chunk.has_content() for chunk in chunks)
    assert any(choice.finish_reason for chunk in chunks for choice in chunk.choices)
    assert any(chunk.usage is not None for chunk in chunks) or name == "groq"


@EVERY
async def test_two_packets_cut_at_any_byte_give_the_same_chunks(name: str) -> None:
    stream = STREAMS[name][0]
    expected = await read(name, [stream])
    for place in range(1, len(stream)):
        assert await read(name, cut(stream, [place])) == expected, f"cut at byte {place}"


@EVERY
async def test_a_packet_for_every_byte_gives_the_same_chunks(name: str) -> None:
    stream = STREAMS[name][0]
    assert await read(name, [bytes([byte]) for byte in stream]) == await read(name, [stream])


@EVERY
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(2, 60))
async def test_random_packets_give_the_same_chunks(name: str, seed: int, count: int) -> None:
    stream = STREAMS[name][0]
    lots = random.Random(seed)
    places = [lots.randrange(len(stream)) for _ in range(count)]
    assert await read(name, cut(stream, places)) == await read(name, [stream])


@EVERY
@pytest.mark.parametrize("end", [b"\r\n", b"\r"], ids=["crlf", "cr"])
async def test_other_line_ends_give_the_same_chunks(name: str, end: bytes) -> None:
    stream = STREAMS[name][0].replace(b"\r\n", b"\n")
    other = stream.replace(b"\n", end)
    expected = await read(name, [stream])
    assert await read(name, [other]) == expected
    for place in range(1, len(other)):
        assert await read(name, cut(other, [place])) == expected, f"cut at byte {place}"


@EVERY
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
async def test_comments_between_events_change_nothing(name: str, seed: int) -> None:
    stream = STREAMS[name][0].replace(b"\r\n", b"\n")
    lots = random.Random(seed)
    events = [event + b"\n\n" for event in stream.split(b"\n\n") if event]
    noisy = b"".join(b": ping\n\n" * lots.randrange(3) + event for event in events)
    places = [lots.randrange(len(noisy)) for _ in range(20)]
    assert await read(name, cut(noisy, places)) == await read(name, [stream])

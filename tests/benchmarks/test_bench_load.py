"""The load client against a real server that answers in awkward pieces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from benchmarks.load.client import once, percentile, probe, stream
from benchmarks.load.connection import Pool, Request

EVENT = b'data: {"x": 1}\n\n'
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Pool]:
    """A server whose `answer` gets each request's body; connections are kept."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await answer(await reader.readexactly(length), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Pool("127.0.0.1", server.sockets[0].getsockname()[1])


def request(body: bytes = b"{}") -> Request:
    return Request("/v1/chat/completions", "127.0.0.1", {}, body)


async def chunked(writer: asyncio.StreamWriter, *pieces: bytes, end: bool = True) -> None:
    """A chunked answer, every byte of which is a packet of its own where it hurts."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for piece in pieces:
        framed = b"%x\r\n%b\r\n" % (len(piece), piece)
        for at in range(len(framed)):
            writer.write(framed[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0)
    if end:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def test_events_cut_by_packets_count_once() -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        await chunked(writer, EVENT, EVENT, EVENT, b"data: [DONE]\n\n")

    async with serving(answer) as pool:
        got = await once(pool, request(), 5, None)
    assert (got["how"], got["chunks"], got["done"]) == ("complete", 3, True)


async def test_connection_cut_in_a_stream_is_seen() -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        await chunked(writer, EVENT, end=False)
        writer.close()

    async with serving(answer) as pool:
        got = await once(pool, request(), 5, None)
    assert (got["how"], got["chunks"], got["done"]) == ("closed", 1, False)


async def test_client_leaves_after_its_events() -> None:
    left = asyncio.Event()

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            left.set()

    async with serving(answer) as pool:
        got = await once(pool, request(), 5, 20)
        await asyncio.wait_for(left.wait(), 5)
    assert got["how"] == "client_left"
    assert got["chunks"] >= 20


async def test_bodies_differ_and_keep_their_length() -> None:
    bodies = []

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        bodies.append(body)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with serving(answer) as pool:
        got = await probe(pool, request(json.dumps({"text": "@N@"}).encode()), 200, 0.05)
    assert (got["requests"], got["bad"]) == (10, 0)
    assert len(set(bodies)) == 10
    assert len({len(body) for body in bodies}) == 1


async def test_stream_without_done_is_bad() -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        await chunked(writer, EVENT)

    async with serving(answer) as pool:
        got = await stream(pool, request(), 2, 0.02)
    assert got["streams"] == 0
    assert got["bad"] >= 2


async def test_error_status_is_bad() -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    async with serving(answer) as pool:
        got = await probe(pool, request(), 100, 0.02)
    assert (got["bad"], got["p50_ms"]) == (2, None)


@pytest.mark.parametrize(("percent", "expected"), [(50, 51), (99, 100), (0, 1)])
def test_percentiles(percent: float, expected: float) -> None:
    assert percentile(range(1, 101), percent) == expected

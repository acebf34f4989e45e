"""Behaviours that send too much."""

from __future__ import annotations

from typing import Any

from acting import SSE, behaves
from connection import Exchange, Request

MIB = 1 << 20


@behaves(r"huge-body")
async def huge_body(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.begin({"Content-Type": "application/json"})
    for _ in range(40):
        exchange.send(b" " * MIB)
        await exchange.flushed()
    exchange.end()


@behaves(r"huge-event")
async def huge_event(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.begin(SSE)
    exchange.send(b"data: ")
    for _ in range(6):
        exchange.send(b"x" * MIB)
        await exchange.flushed()
    exchange.end()


@behaves(r"huge-(\d+)mb")
async def huge(body: dict[str, Any], exchange: Exchange, request: Request, mb: str) -> None:
    """One answer of so many MiB, correct but for its size; in a stream it is one event."""
    stream = bool(body.get("stream"))
    exchange.begin(SSE if stream else {"Content-Type": "application/json"})
    part = b"delta" if stream else b"message"
    head = b'{"id":"big","choices":[{"index":0,"finish_reason":"stop","%b":{"content":"' % part
    exchange.send((b"data: " if stream else b"") + head)
    for _ in range(int(mb)):
        exchange.send(b"word " * (MIB // 5))
        await exchange.flushed()
    exchange.send(b'"}}]}' + (b"\n\ndata: [DONE]\n\n" if stream else b""))
    exchange.end()


@behaves(r"endless-header")
async def endless_header(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """Header lines without end."""
    exchange.raw(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000_000):
        exchange.raw(b"x-header-%d: %b\r\n" % (number, b"v" * 100))
        if number % 100 == 0:
            await exchange.flushed()


@behaves(r"endless-header-line")
async def endless_line(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """One header line without end."""
    exchange.raw(b"HTTP/1.1 200 OK\r\nx-header: ")
    for _ in range(10_000_000):
        exchange.raw(b"v" * 1000)
        await exchange.flushed()

"""Behaviours with unusual framing or encoding."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise
from typing import Any

from acting import SSE, all_events, behaves, framed
from answers import DONE, completion, event, reply_text
from connection import Exchange, Request


@behaves(r"gzip")
async def gzipped(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    if not body.get("stream"):
        packed = gzip.compress(completion(body, {"content": reply_text(body)}))
        exchange.whole(200, packed, {"Content-Encoding": "gzip"})
        return
    packer = zlib.compressobj(wbits=31)
    exchange.begin(SSE | {"Content-Encoding": "gzip"})
    for payload in [*all_events(body), b"[DONE]"]:
        exchange.send(packer.compress(event(payload)) + packer.flush(zlib.Z_SYNC_FLUSH))
        await exchange.flushed()
    exchange.send(packer.flush())
    exchange.end()


@behaves(r"gzip-bomb")
async def gzip_bomb(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """A few kB that unpack to 64 MiB."""
    packer = zlib.compressobj(level=1, wbits=31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    type_ = "text/event-stream" if body.get("stream") else "application/json"
    exchange.whole(200, packed, {"Content-Encoding": "gzip", "Content-Type": type_})


@behaves(r"crlf")
async def crlf(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    await framed(body, exchange, b"data: ", b"\r\n\r\n")


@behaves(r"no-space")
async def no_space(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    await framed(body, exchange, b"data:", b"\n\n")


@behaves(r"bytewise")
async def bytewise(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """Every byte in an HTTP chunk of its own, in packets of a few."""
    exchange.begin(SSE)
    for at, byte in enumerate(b"".join(map(event, all_events(body))) + DONE):
        exchange.send(bytes([byte]))
        if at % 7 == 0:
            await exchange.flushed()
    exchange.end()


@behaves(r"fifty-packets")
async def fifty_packets(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """The second event in fifty packets, cut wherever it falls; the others as they are."""
    first, second, *rest = map(event, all_events(body))
    exchange.begin(SSE)
    exchange.send(first)
    borders = [len(second) * n // 50 for n in range(51)]
    for begin, end in pairwise(borders):
        if begin < end:
            exchange.send(second[begin:end])
            await exchange.flushed()
    exchange.send(b"".join(rest) + DONE)
    exchange.end()


@behaves(r"two-lines")
async def two_lines(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """Each event's JSON over two `data` lines, with an `event` and an `id` line before it."""
    lined = [p.replace(b',"object"', b',\ndata: "object"') for p in all_events(body)]
    exchange.begin(SSE)
    exchange.send(b"".join(b"event: message\nid: 7\n" + event(p) for p in lined) + DONE)
    exchange.end()

"""The ways of answering that behaviours are made of, and the register of their names."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from answers import DONE, TEXT, chunk, completion, event, pieces_of, reply_text, usage_chunk
from connection import Exchange
from vectors import embeddings

SSE = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
FOREVER_S = 3600.0

Behaviour = Callable[..., Awaitable[None]]
BEHAVIOURS: list[tuple[re.Pattern[str], Behaviour]] = []


def behaves(pattern: str) -> Callable[[Behaviour], Behaviour]:
    """Register a behaviour for names that match; groups become further arguments."""

    def register(behaviour: Behaviour) -> Behaviour:
        BEHAVIOURS.append((re.compile(pattern), behaviour))
        return behaviour

    return register


async def ok(body: dict[str, Any], exchange: Exchange) -> None:
    """What was asked for: an answer, or the embeddings of `input`."""
    if "messages" not in body:
        exchange.whole(200, embeddings(body))
    else:
        await say(body, exchange, pieces_of(reply_text(body)))


async def say(body: dict[str, Any], exchange: Exchange, pieces: list[str]) -> None:
    if body.get("stream"):
        exchange.begin(SSE)
        exchange.send(b"".join(map(event, content_chunks(body, pieces))))
        exchange.send(b"".join(map(event, last_chunks(body, len(pieces)))) + DONE)
        exchange.end()
    else:
        exchange.whole(200, completion(body, {"content": "".join(pieces)}, tokens=len(pieces)))


def content_chunks(body: dict[str, Any], pieces: list[str]) -> list[bytes]:
    """Role and content of every choice."""
    chunks = []
    for index in range(body.get("n") or 1):
        chunks.append(chunk(body, {"role": "assistant", "content": ""}, index=index))
        chunks += [chunk(body, {"content": piece}, index=index) for piece in pieces]
    return chunks


def last_chunks(body: dict[str, Any], tokens: int, finish: str = "stop") -> list[bytes]:
    """Finish reasons, and usage if the request asks for it."""
    count = body.get("n") or 1
    chunks = [chunk(body, {}, index=index, finish=finish) for index in range(count)]
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append(usage_chunk(body, tokens * count))
    return chunks


def all_events(body: dict[str, Any]) -> list[bytes]:
    pieces = pieces_of(reply_text(body))
    return [*content_chunks(body, pieces), *last_chunks(body, len(pieces))]


async def one_packet_each(exchange: Exchange, payloads: list[bytes]) -> None:
    exchange.begin(SSE)
    await events(exchange, payloads)


async def events(exchange: Exchange, payloads: list[bytes]) -> None:
    for payload in payloads:
        exchange.send(event(payload))
        await exchange.flushed()
    exchange.send(DONE)
    exchange.end()


async def framed(body: dict[str, Any], exchange: Exchange, before: bytes, after: bytes) -> None:
    exchange.begin(SSE)
    exchange.send(b"".join(before + p + after for p in [*all_events(body), b"[DONE]"]))
    exchange.end()


async def begin_with(body: dict[str, Any], exchange: Exchange, n: int) -> None:
    """The role and the first `n` pieces of content."""
    exchange.begin(SSE)
    if n:
        more = [] if TEXT in body else [" more"] * n
        pieces = (pieces_of(reply_text(body)) + more)[:n]
        exchange.send(b"".join(map(event, content_chunks(body, pieces))))
        await exchange.flushed()

"""Behaviours that answer well, in many ways."""

from __future__ import annotations

import asyncio
from typing import Any

from acting import (
    FOREVER_S,
    SSE,
    all_events,
    begin_with,
    behaves,
    content_chunks,
    events,
    last_chunks,
    ok,
    one_packet_each,
    say,
)
from answers import (
    EMAIL_PIECES,
    EMAIL_TEXT,
    chunk,
    completion,
    encode,
    event,
    reply_text,
)
from connection import Exchange, Request


@behaves(r"echo")
async def echo(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """The request's body as content."""
    await say(body, exchange, [request.body.decode()])


@behaves(r"emails")
async def emails(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    if not body.get("stream"):
        exchange.whole(200, completion(body, {"content": EMAIL_TEXT}))
        return
    await one_packet_each(exchange, [*content_chunks(body, EMAIL_PIECES), *last_chunks(body, 5)])


@behaves(r"reasoning")
async def reasoning(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    text = reply_text(body)
    if not body.get("stream"):
        message = {"content": text, "reasoning_content": "Let me think."}
        exchange.whole(200, completion(body, message))
        return
    thoughts = [chunk(body, {"reasoning_content": piece}) for piece in ("Let me", " think.")]
    await one_packet_each(exchange, thoughts + all_events(body))


@behaves(r"nulls")
async def nulls(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """Nulls and number types that OpenAI does not send."""
    content = {"content": reply_text(body), "role": None, "tool_calls": None}
    if not body.get("stream"):
        answer = {"id": None, "choices": [{"message": content, "finish_reason": "stop"}]}
        exchange.whole(200, encode(answer | {"created": 1.7e9, "usage": None}))
        return
    head = {"id": None, "created": 1.7e9, "usage": None}
    first = head | {"choices": [{"index": 0, "delta": content, "finish_reason": None}]}
    last = head | {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}
    await one_packet_each(exchange, [encode(first), encode(last)])


@behaves(r"(?:ok-)?slow-(\d+)ms")
async def slow(body: dict[str, Any], exchange: Exchange, request: Request, ms: str) -> None:
    await asyncio.sleep(int(ms) / 1000)
    await ok(body, exchange)


@behaves(r"slow-first-(\d+)ms")
async def slow_first(body: dict[str, Any], exchange: Exchange, request: Request, ms: str) -> None:
    """Head and role come at once, the first word after a pause."""
    if not body.get("stream"):
        await slow(body, exchange, request, ms)
        return
    exchange.begin(SSE)
    first, *rest = all_events(body)
    exchange.send(event(first))
    await asyncio.sleep(int(ms) / 1000)
    await events(exchange, rest)


@behaves(r"drip-(\d+)ms")
async def drip(body: dict[str, Any], exchange: Exchange, request: Request, ms: str) -> None:
    """Each event after a pause; a body after one."""
    if not body.get("stream"):
        await asyncio.sleep(int(ms) / 1000)
        await ok(body, exchange)
        return
    exchange.begin(SSE)
    for payload in [*all_events(body), b"[DONE]"]:
        await asyncio.sleep(int(ms) / 1000)
        exchange.send(event(payload))
    exchange.end()


@behaves(r"no-response")
async def no_response(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    await asyncio.sleep(FOREVER_S)


@behaves(r"head-only")
async def head_only(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.begin(SSE if body.get("stream") else {"Content-Type": "application/json"})
    await asyncio.sleep(FOREVER_S)


@behaves(r"comments-only")
async def comments_only(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.begin(SSE)
    while True:
        exchange.send(b": keep-alive\n\n")
        await asyncio.sleep(0.02)


@behaves(r"trickle-after-(\d+)")
async def trickle(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    """Some content, then comments and nothing else, without end."""
    await begin_with(body, exchange, int(n))
    while True:
        exchange.send(b": keep-alive\n\n")
        await asyncio.sleep(0.02)


@behaves(r"comments-first")
async def comments_first(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.begin(SSE)
    for _ in range(3):
        exchange.send(b": keep-alive\n\n")
        await exchange.flushed()
    await events(exchange, all_events(body))


@behaves(r"stall-after-(\d+)")
async def stall(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    await begin_with(body, exchange, int(n))
    await asyncio.sleep(FOREVER_S)


@behaves(r"chunks-(\d+)")
async def chunks(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    """As many content chunks, as fast as they go."""
    await say(body, exchange, [" word"] * int(n))


@behaves(r"endless")
async def endless(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.begin(SSE)
    while True:
        exchange.send(event(chunk(body, {"content": " word"})))
        await asyncio.sleep(0.005)


@behaves(r"empty-events")
async def empty_events(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """Events that say nothing, without end."""
    exchange.begin(SSE)
    while True:
        exchange.send(event(chunk(body, {"content": ""})) * 100)
        await exchange.flushed()


@behaves(r"flood")
async def flood(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """Large events without end, as fast as they are taken."""
    exchange.begin(SSE)
    payload = event(chunk(body, {"content": "word " * 10_000}))
    while True:
        exchange.send(payload)
        await exchange.flushed()


@behaves(r"no-usage")
async def no_usage(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """A stream that says nothing of usage, though it is asked to."""
    await one_packet_each(exchange, all_events({**body, "stream_options": None}))

"""Behaviours that break off, or answer what is no answer."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from acting import FOREVER_S, SSE, all_events, begin_with, behaves
from answers import DONE, completion, event, reply_text
from connection import Exchange, Request


@behaves(r"reset-before-headers")
async def reset_early(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.reset()


@behaves(r"close-before-headers")
async def close_early(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.cut()


@behaves(r"not-http")
async def not_http(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.raw(b"SSH-2.0-OpenSSH_9.6\r\n")
    exchange.cut()


@behaves(r"header-flood")
async def header_flood(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.whole(200, b"{}", {f"X-Header-{n}": "x" * 1000 for n in range(1000)})


@behaves(r"cut-after-(\d+)")
async def cut(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    """The connection closes after some content; a body that is no stream, after its half."""
    if body.get("stream"):
        await begin_with(body, exchange, int(n))
    else:
        answer = completion(body, {"content": reply_text(body)})
        exchange.begin({"Content-Type": "application/json"})
        exchange.send(answer[: len(answer) // 2])
    await exchange.flushed()
    exchange.cut()


@behaves(r"end-after-(\d+)")
async def end(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    """The stream ends as HTTP should, but in the middle of the answer."""
    await begin_with(body, exchange, int(n))
    exchange.end()


@behaves(r"no-finish")
async def no_finish(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    await begin_with(body, exchange, 2)
    exchange.send(DONE)
    exchange.end()


@behaves(r"no-done")
async def no_done(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.begin(SSE)
    exchange.send(b"".join(map(event, all_events(body))))
    exchange.end()


@behaves(r"no-done-cut")
async def no_done_cut(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """Whole but for its goodbye: the connection closes after the last event."""
    exchange.begin(SSE)
    exchange.send(b"".join(map(event, all_events(body))))
    await exchange.flushed()
    exchange.cut()


@behaves(r"open-end")
async def open_end(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """All events and `[DONE]`, but the HTTP message never ends."""
    exchange.begin(SSE)
    exchange.send(b"".join(map(event, all_events(body))) + DONE)
    await asyncio.sleep(FOREVER_S)


@behaves(r"malformed-event")
async def malformed(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    await begin_with(body, exchange, 2)
    exchange.send(b'data: {"choices": [{"delta"\n\n')
    exchange.end()


@behaves(r"malformed-event-first")
async def malformed_first(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.begin(SSE)
    exchange.send(b"data: {]\n\n")
    exchange.end()


@behaves(r"malformed-between-after-(\d+)")
async def malformed_between(
    body: dict[str, Any], exchange: Exchange, request: Request, n: str
) -> None:
    """The whole answer, and among its events one that is no JSON."""
    payloads = all_events(body)
    exchange.begin(SSE)
    for payload in [*payloads[: int(n)], b'{"choices": [{"delta"', *payloads[int(n) :]]:
        exchange.send(event(payload))
        await exchange.flushed()
    exchange.send(DONE)
    exchange.end()


@behaves(r"garbage-after-(\d+)")
async def garbage(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    """Some content, then bytes that are no text, event after event, and the end."""
    await begin_with(body, exchange, int(n))
    noise = Random(0)
    for _ in range(200):
        exchange.send(event(noise.randbytes(60).replace(b"\n", b" ").replace(b"\r", b" ")))
        await exchange.flushed()
    exchange.end()


@behaves(r"malformed-body")
async def malformed_body(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.whole(200, b'{"choices": [')


@behaves(r"wrong-content-type")
async def wrong_type(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.whole(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})


@behaves(r"never-streams")
async def never_streams(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.whole(200, completion(body, {"content": reply_text(body)}))

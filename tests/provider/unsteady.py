"""Behaviours that are well at one time and not at another; the number of a request decides, so
that a run can be repeated."""

from __future__ import annotations

from random import Random
from typing import Any

from acting import SSE, all_events, behaves, ok
from answers import DONE, completion, error, event, reply_text
from connection import Exchange, Request


@behaves(r"flap-(\d+)(ms)?")
async def flap(
    body: dict[str, Any], exchange: Exchange, request: Request, length: str, ms: str | None
) -> None:
    """Down for so many requests (or milliseconds), up for as many, from the first one on."""
    passed = request.since_s * 1000 if ms else request.number - 1
    if int(passed) // int(length) % 2 == 0:
        exchange.whole(503, error("The server is down.", "server_error"))
    else:
        await ok(body, exchange)


@behaves(r"flaky-(\d+)")
async def flaky(body: dict[str, Any], exchange: Exchange, request: Request, percent: str) -> None:
    """So many of a hundred connections break at a random byte: closed, or reset."""
    lot = Random(request.number)
    if lot.random() * 100 >= int(percent):
        await ok(body, exchange)
        return
    answer = _answer(body)
    cut = (
        int(lot.triangular(0, len(answer), 0)) if lot.random() < 0.5 else lot.randrange(len(answer))
    )
    if cut:
        exchange.begin(SSE if body.get("stream") else {"Content-Type": "application/json"})
        exchange.send(answer[:cut])
        await exchange.flushed()
    if lot.random() < 0.5:
        exchange.reset()
    else:
        exchange.cut()


def _answer(body: dict[str, Any]) -> bytes:
    """The bytes of the whole answer."""
    if body.get("stream"):
        return b"".join(map(event, all_events(body))) + DONE
    return completion(body, {"content": reply_text(body)})

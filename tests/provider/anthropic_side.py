"""The scripted provider as Anthropic's Messages API: `POST /v1/messages`.

The model's name says how it behaves, as on OpenAI's side; what the API would refuse is refused
(`anthropic_rules.py`) before that.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic_says as says
from acting import FOREVER_S, SSE
from answers import encode
from anthropic_rules import complaint
from connection import Exchange, Request
from registry import Registry

VERSION = "2023-06-01"
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}

_registry = Registry()
behaves = _registry.behaves


async def act(name: str, request: Request, exchange: Exchange) -> None:
    """Answer a request for a message as the named behaviour does."""
    body = request.json()
    if "x-api-key" not in request.headers:
        refuse(exchange, 401, "x-api-key header is required")
    elif request.headers.get("anthropic-version") != VERSION:
        refuse(exchange, 400, "anthropic-version: header is required")
    elif said := complaint(body):
        refuse(exchange, 400, said)
    else:
        await _registry.play(name, body, exchange, request, otherwise=ok)


def refuse(exchange: Exchange, status: int, what: str, **headers: str) -> None:
    kind = _KINDS.get(status, "api_error")
    exchange.whole(status, encode(says.error(kind, what)), headers)


async def _say(
    body: dict[str, Any], exchange: Exchange, blocks: list[dict[str, Any]], stop: str, **more: Any
) -> None:
    message = says.message(body, blocks, stop, **more)
    if not body.get("stream"):
        exchange.whole(200, encode(message))
        return
    exchange.begin(SSE)
    for event in says.events(message):
        exchange.send(event)
        await exchange.flushed()
    exchange.end()


async def ok(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    await _say(body, exchange, [says.text(says.answer(body))], "end_turn")


@behaves(r"tools(-parallel)?")
async def tools(
    body: dict[str, Any], exchange: Exchange, request: Request, parallel: str | None
) -> None:
    """A call of the first tool, or two at once; once the results are there, a text."""
    if says.results(body):
        await ok(body, exchange, request)
        return
    cities = says.CITIES if parallel else says.CITIES[:1]
    calls = [says.call(body, number, city=city) for number, city in enumerate(cities)]
    await _say(body, exchange, calls, "tool_use")


@behaves(r"tools-bare")
async def bare_call(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """A call without arguments, after a text."""
    await _say(body, exchange, [says.text("I look."), says.call(body, 0)], "tool_use")


@behaves(r"thinking(-sealed)?(-omitted)?(-tools)?")
async def thinking(
    body: dict[str, Any], exchange: Exchange, request: Request,
    sealed: str | None, omitted: str | None, calls: str | None,
) -> None:  # fmt: skip
    """Thinking, open or sealed or both, then a text or a call."""
    thoughts = [says.thought("omitted" if omitted else "summarized")]
    if sealed:
        thoughts.append(says.sealed())
    if calls and not says.results(body):
        await _say(body, exchange, [*thoughts, says.call(body, 0, city="Paris")], "tool_use")
    else:
        await _say(body, exchange, [*thoughts, says.text(says.answer(body))], "end_turn")


@behaves(r"stop-(\w+)")
async def stops(body: dict[str, Any], exchange: Exchange, request: Request, why: str) -> None:
    await _say(body, exchange, [says.text(says.answer(body))], why)


@behaves(r"refusal")
async def refusal(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "This could do harm."}
    await _say(body, exchange, [], "refusal", stop_details=details)


@behaves(r"cached")
async def cached(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    counts = says.usage(body, cached=100, written=20)
    await _say(body, exchange, [says.text("Known.")], "end_turn", usage=counts)


@behaves(r"slow-(\d+)ms")
async def slow(body: dict[str, Any], exchange: Exchange, request: Request, ms: str) -> None:
    await asyncio.sleep(int(ms) / 1000)
    await ok(body, exchange, request)


@behaves(r"status-(\d+)(?:-retry-after-(\d+))?")
async def status(
    body: dict[str, Any], exchange: Exchange, request: Request, code: str, after: str | None
) -> None:
    headers = {} if after is None else {"Retry-After": after}
    refuse(exchange, int(code), f"scripted {code}", **headers)


@behaves(r"unknown")
async def unknown(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    refuse(exchange, 404, f"model: {body['model']}")


@behaves(r"context-too-long")
async def too_long(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    refuse(exchange, 400, "prompt is too long: 210000 tokens > 200000 maximum")


async def _begin(body: dict[str, Any], exchange: Exchange, n: int) -> None:
    """The head of a message and the first `n` pieces of its text."""
    exchange.begin(SSE)
    if n:
        message = says.message(body, [says.text(says.answer(body))], "end_turn")
        exchange.send(b"".join(says.events(message)[: 3 + n]))
    await exchange.flushed()


@behaves(r"cut-after-(\d+)")
async def cut(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    await _begin(body, exchange, int(n))
    exchange.cut()


@behaves(r"end-after-(\d+)")
async def end(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    await _begin(body, exchange, int(n))
    exchange.end()


@behaves(r"stall-after-(\d+)")
async def stall(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    await _begin(body, exchange, int(n))
    await asyncio.sleep(FOREVER_S)


@behaves(r"error-event(?:-after-(\d+))?")
async def error_event(
    body: dict[str, Any], exchange: Exchange, request: Request, n: str | None
) -> None:
    """An overload in the stream, first thing or after some text."""
    await _begin(body, exchange, int(n or 0))
    exchange.send(says.event("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    exchange.end()


@behaves(r"error-in-200")
async def error_in_200(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.whole(200, encode(says.error("overloaded_error", "Overloaded")))


@behaves(r"new-events")
async def new_events(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """Events and blocks that are not invented yet, between the known ones."""
    message = says.message(body, [says.text(says.answer(body))], "end_turn")
    told = says.events(message)
    exchange.begin(SSE)
    extra = [
        says.event("mood", feeling="fine"),
        says.event("content_block_start", index=7, content_block={"type": "dance", "step": 1}),
        says.event("content_block_delta", index=7, delta={"type": "dance_delta", "step": 2}),
        says.event("content_block_stop", index=7),
    ]
    exchange.send(b"".join([*told[:3], *extra, *told[3:]]))
    exchange.end()


@behaves(r"malformed-event")
async def malformed(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """One event between the others is garbage."""
    message = says.message(body, [says.text(says.answer(body))], "end_turn")
    told = says.events(message)
    exchange.begin(SSE)
    exchange.send(b"".join([*told[:4], b'data: {"type": \n\n', *told[4:]]))
    exchange.end()

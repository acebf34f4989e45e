"""Behaviours that refuse, by status or inside a 200."""

from __future__ import annotations

from typing import Any

from acting import begin_with, behaves
from answers import DONE, chunk, error, event
from connection import Exchange, Request


@behaves(r"status-(\d+)(?:-retry-after-(.+))?")
async def status(
    body: dict[str, Any], exchange: Exchange, request: Request, code: str, after: str | None
) -> None:
    headers = {} if after is None else {"Retry-After": after}
    exchange.whole(int(code), error(f"scripted {code}", "server_error"), headers)


@behaves(r"quota")
async def quota(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    message = "You exceeded your current quota"
    exchange.whole(429, error(message, "insufficient_quota", "insufficient_quota"))


@behaves(r"auth")
async def auth(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    key = request.headers.get("authorization", "")
    exchange.whole(401, error(f"Incorrect API key: {key}", "invalid_request_error"))


@behaves(r"leaky")
async def leaky(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """A refusal that repeats the key, in its message and its code."""
    key = request.headers.get("authorization", "")
    exchange.whole(400, error(f"bad request by {key} " + "x" * 2000, "invalid_request_error", key))


@behaves(r"context-too-long")
async def context(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    message = "This model's maximum context length is 4096 tokens."
    code = "context_length_exceeded"
    exchange.whole(400, error(message, "invalid_request_error", code, "messages"))


@behaves(r"context-in-words")
async def context_in_words(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    message = "The prompt (5000 tokens) exceeds the context window of this model."
    exchange.whole(400, error(message, "BadRequestError", 400))


@behaves(r"bad-request")
async def bad_request(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    message = "Invalid value for 'temperature': 9."
    kind, code = "invalid_request_error", "invalid_value"
    exchange.whole(400, error(message, kind, code, "temperature"))


@behaves(r"redirect")
async def redirect(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.whole(307, b"{}", {"Location": "/v1/chat/completions"})


@behaves(r"error-in-200")
async def error_in_200(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.whole(200, error("The engine is overloaded", "overloaded_error"))


@behaves(r"error-in-200-bad-request")
async def bad_in_200(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    exchange.whole(200, error("top_p is wrong", "BadRequestError", 400, "top_p"))


@behaves(r"error-event(?:-after-(\d+))?")
async def error_event(
    body: dict[str, Any], exchange: Exchange, request: Request, n: str | None
) -> None:
    """An error object in the stream, first thing or after some content."""
    await begin_with(body, exchange, int(n or 0))
    exchange.send(event(error("The server had an error", "server_error")))
    exchange.end()


@behaves(r"error-finish")
async def error_finish(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    await begin_with(body, exchange, 1)
    exchange.send(event(chunk(body, {}, finish="error")) + DONE)
    exchange.end()

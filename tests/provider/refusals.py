"""Behaviours that refuse, by status or inside a 200."""

from __future__ import annotations

import time
from email.utils import formatdate
from math import ceil
from typing import Any

from acting import begin_with, behaves, content_chunks, last_chunks, one_packet_each
from answers import DONE, chunk, completion, error, event, pieces_of, reply_text
from connection import Exchange, Request
from refusal_words import TOO_LONG, UNWANTED


@behaves(r"status-(\d+)(?:-retry-after-(.+))?")
async def status(
    body: dict[str, Any], exchange: Exchange, request: Request, code: str, after: str | None
) -> None:
    headers = {} if after is None else {"Retry-After": after}
    exchange.whole(int(code), error(f"scripted {code}", "server_error"), headers)


@behaves(r"status-(\d+)-retry-at-(\d+)s")
async def retry_at(
    body: dict[str, Any], exchange: Exchange, request: Request, code: str, seconds: str
) -> None:
    """`Retry-After` as an HTTP date, which knows whole seconds only: `seconds` or a bit more."""
    date = formatdate(ceil(time.time()) + int(seconds), usegmt=True)
    exchange.whole(int(code), error(f"scripted {code}", "server_error"), {"Retry-After": date})


@behaves(r"context-of-(\w+)")
async def context_of(
    body: dict[str, Any], exchange: Exchange, request: Request, provider: str
) -> None:
    """A prompt that is too long, in a provider's own words."""
    exchange.whole(*TOO_LONG[provider])


@behaves(r"content-of-(\w+)")
async def content_of(
    body: dict[str, Any], exchange: Exchange, request: Request, provider: str
) -> None:
    """A prompt that a content policy refuses, in a provider's own words."""
    exchange.whole(*UNWANTED[provider])


@behaves(r"content-finish")
async def content_finish(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """An answer that the provider's filter stopped: finish reason `content_filter`."""
    pieces = pieces_of(reply_text(body))[:2]
    if not body.get("stream"):
        text = {"content": "".join(pieces)}
        exchange.whole(200, completion(body, text, finish_reason="content_filter"))
        return
    chunks = content_chunks(body, pieces) + last_chunks(body, 2, finish="content_filter")
    await one_packet_each(exchange, chunks)


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


@behaves(r"redirect-(\d+)")
async def redirect_as(
    body: dict[str, Any], exchange: Exchange, request: Request, code: str
) -> None:
    """To a place where an answer would be."""
    exchange.whole(int(code), b"{}", {"Location": "/v1/chat/completions"})


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

"""Behaviours that depend on the key they are called with."""

from __future__ import annotations

from typing import Any

from acting import behaves, ok
from answers import error
from connection import Exchange, Request

_KEY_HEADERS = ("authorization", "api-key", "x-api-key", "x-goog-api-key")


def key_of(request: Request) -> str:
    """The key of a request, whichever header carries it."""
    found = next((request.headers[n] for n in _KEY_HEADERS if n in request.headers), "")
    return found.removeprefix("Bearer ")


@behaves(r"keys(?:-retry-after-(\d+))?")
async def by_key(
    body: dict[str, Any], exchange: Exchange, request: Request, after: str | None
) -> None:
    """A key with `refused` in it gets 401, one with `limited` 429, any other an answer."""
    key = key_of(request)
    if "refused" in key:
        message = f"Incorrect API key provided: {key}."
        exchange.whole(401, error(message, "invalid_request_error", "invalid_api_key"))
    elif "limited" in key:
        headers = {} if after is None else {"Retry-After": after}
        exchange.whole(
            429, error("Rate limit reached.", "requests", "rate_limit_exceeded"), headers
        )
    else:
        await ok(body, exchange)

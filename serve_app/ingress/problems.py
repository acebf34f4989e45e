"""Errors as HTTP: the only place that turns a `GatewayError` into a status and OpenAI's shape."""

from __future__ import annotations

import math

import msgspec

from serve_app.core.errors import GatewayError

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")


def body(error: GatewayError, request_id: str) -> bytes:
    """`{"error": {...}}` as OpenAI's clients expect it."""
    return msgspec.json.encode(
        {
            "error": {
                "message": error.message,
                "type": error.type,
                "code": error.code,
                "param": error.param,
                "request_id": request_id,
            }
        }
    )


def headers(error: GatewayError) -> Headers:
    found: Headers = [_JSON]
    if error.retry_after_s is not None:
        found.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    return found


def event(error: GatewayError, request_id: str) -> bytes:
    """The last event of a stream that could not be finished; no `[DONE]` follows it."""
    return b"data: " + body(error, request_id) + b"\n\n"

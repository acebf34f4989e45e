"""Errors as HTTP: status and headers. What the body looks like is the shape's business
(`wire/shape.py`)."""

from __future__ import annotations

import math

from serve_app.core.errors import GatewayError, MethodNotAllowed

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")


def headers(error: GatewayError) -> Headers:
    found: Headers = [_JSON]
    if error.retry_after_s is not None:
        found.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    found += [(name.encode(), value.encode()) for name, value in error.headers.items()]
    return found


def wrong_method(path: str, method: str, *allowed: str) -> MethodNotAllowed:
    """A method that a route does not take; the head says which it does (RFC 9110, 15.5.6)."""
    listed = ", ".join((*allowed, "HEAD") if "GET" in allowed else allowed)
    said = " or ".join(allowed)
    return MethodNotAllowed(f"{path} takes {said}, not {method[:16]}", headers={"allow": listed})

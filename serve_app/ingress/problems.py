"""Errors as HTTP: status and headers. What the body looks like is the shape's business
(`wire/shape.py`)."""

from __future__ import annotations

import math

from serve_app.core.errors import GatewayError

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")


def headers(error: GatewayError) -> Headers:
    found: Headers = [_JSON]
    if error.retry_after_s is not None:
        found.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    found += [(name.encode(), value.encode()) for name, value in error.headers.items()]
    return found

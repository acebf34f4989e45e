"""Small blocking HTTP for the command line: one request, one connection, always a limit."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from serve_app.cli.failure import USAGE, Failure


class Answer(NamedTuple):
    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON, None if it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Unreachable(Exception):
    """Nobody answered in time; the message says what happened."""


def connect(url: str, timeout_s: float) -> tuple[http.client.HTTPConnection, str]:
    """A connection to a base URL and the path to put before each request's."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(f"{url!r} is not an address: write http://host:port", USAGE)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        port = parts.port
    except ValueError:
        raise Failure(f"{url!r} has no valid port", USAGE) from None
    return kind(parts.hostname, port, timeout=timeout_s), parts.path.rstrip("/")


def ask(
    method: str,
    url: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = 5.0,
) -> Answer:
    """One request.

    Raises:
        Unreachable: no connection, or no whole answer within `timeout_s` between two reads.
    """
    connection, prefix = connect(url, timeout_s)
    try:
        connection.request(method, prefix + path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{url} does not answer: {error or type(error).__name__}") from error
    finally:
        connection.close()

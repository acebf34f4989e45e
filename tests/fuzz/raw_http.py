"""HTTP by hand: bytes to a port, and the answer that comes, whatever they were."""

from __future__ import annotations

import contextlib
import json
import socket
from http.client import HTTPException, HTTPResponse
from typing import Any

from msgspec import Struct

LIMIT_S = 15.0
"""An answer that takes longer hangs."""
NOT_HTTP = b"Invalid HTTP request received."
"""What the server says to what is no HTTP: nobody of ours ever sees it."""


class Answer(Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def not_http(self) -> bool:
        return self.status == 400 and self.body == NOT_HTTP


def exchange(port: int, data: bytes, method: str = "POST") -> Answer | None:
    """The first answer to some bytes; None if the server closed the connection without one.

    Raises:
        TimeoutError: neither came within `LIMIT_S`.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as sock:
        # It may have answered before it has read all.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
        answer = HTTPResponse(sock, method=method)
        try:
            answer.begin()
            body = answer.read()
        except (ConnectionResetError, HTTPException):
            return None
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, body)


def request(
    path: bytes,
    body: bytes,
    headers: list[tuple[bytes, bytes]],
    method: bytes = b"POST",
    *,
    sized: bool = True,
) -> bytes:
    """A request with a body, as bytes."""
    lines = [b"%b %b HTTP/1.1" % (method, path), b"Host: t", b"Connection: close"]
    if sized:
        lines.append(b"Content-Length: %d" % len(body))
    lines += [b"%b: %b" % header for header in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def assert_shape(body: bytes, *, anthropic: bool) -> None:
    """An error is in the form that the route's clients know."""
    value = json.loads(body)
    error = value["error"]
    assert isinstance(error["message"], str)
    assert error["message"]
    if anthropic:
        assert value["type"] == "error"
        assert isinstance(error["type"], str)
        assert isinstance(value["request_id"], str)
    else:
        assert error.keys() == {"message", "type", "code", "param", "request_id"}

"""One client's connection to the scripted provider: bare HTTP/1.1, so that it can be broken."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

_numbers = count(1)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    connection: int
    number: int = 0
    """Which request of its model this is since the last reset, from 1."""
    since_s: float = 0.0
    """Seconds since the first of them."""

    def json(self) -> Any:
        return json.loads(self.body)


Handler = Callable[[Request, "Exchange"], Awaitable[None]]
"""Answers one request over an exchange; cancelled when the client goes."""


class Connection(asyncio.Protocol):
    """Parses requests one after the other and runs a handler for each.

    Args:
        left: told the connection's number when it is gone.
    """

    def __init__(self, handler: Handler, left: Callable[[int], None]) -> None:
        self._handler = handler
        self._left = left
        self._number = next(_numbers)
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._left(self._number)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._serve_next()

    def _serve_next(self) -> None:
        if self._task is None and (request := self._parse()) is not None:
            self._task = asyncio.get_running_loop().create_task(self._serve(request))

    def _parse(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        size = int(headers.get("content-length", "0"))
        if len(self._buffer) < end + 4 + size:
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + size])
        del self._buffer[: end + 4 + size]
        method, path, _ = first.split(" ", 2)
        return Request(method, path, headers, body, self._number)

    async def _serve(self, request: Request) -> None:
        assert self.transport is not None
        try:
            await self._handler(request, Exchange(self.transport, self._writable))
        except Exception:
            traceback.print_exc()
            self.transport.abort()
        self._task = None
        self._serve_next()


class Exchange:
    """The server's side of one request: a head, pieces of a body, an end - or not."""

    def __init__(self, transport: asyncio.Transport, writable: asyncio.Event) -> None:
        self._transport = transport
        self._writable = writable
        self._chunked = False
        self.headers: dict[str, str] = {}
        """Of the answer, besides its own."""

    def whole(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """A complete answer with a length."""
        head = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self._transport.write(_head(status, head | self.headers | (headers or {})) + body)

    def begin(self, headers: dict[str, str]) -> None:
        """Head of a chunked answer."""
        self._chunked = True
        head = self.headers | headers | {"Transfer-Encoding": "chunked"}
        self._transport.write(_head(200, head))

    def send(self, piece: bytes) -> None:
        self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def end(self) -> None:
        if self._chunked:
            self._transport.write(b"0\r\n\r\n")

    def raw(self, data: bytes) -> None:
        """Bytes that need not be HTTP."""
        self._transport.write(data)

    def cut(self) -> None:
        """Close in the middle of the answer."""
        self._transport.close()

    def reset(self) -> None:
        """Close with a TCP reset."""
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def flushed(self) -> None:
        """Let what was sent leave as a packet of its own; waits for a client that reads slowly."""
        await asyncio.sleep(0.001)
        await self._writable.wait()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{n}: {v}" for n, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

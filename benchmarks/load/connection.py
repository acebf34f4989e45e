"""One keep-alive HTTP/1.1 connection that counts the events of an answer as they come.

Raw asyncio, since the load tool runs on the cores that it measures: a general HTTP client costs
more CPU than a gateway does.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Literal, cast

now = time.perf_counter

How = Literal["complete", "closed", "client_left", "client_timeout"]
EVENT, DONE, LAST_CHUNK = b"data: {", b"[DONE]", b"0\r\n\r\n"
BODY_KEPT = 65536
"""Bytes of an answer's end that are kept, to look at."""


class Request:
    """Bytes of a POST; `@N@` in the body is another number each time, of one width."""

    def __init__(self, path: str, host: str, headers: dict[str, str], body: bytes) -> None:
        self._seed = os.urandom(6).hex().encode()
        self._made = 0
        length = len(body.replace(b"@N@", self._mark()))
        lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
        lines += [f"Content-Length: {length}", *(f"{k}: {v}" for k, v in headers.items())]
        self._head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        self._body = body

    def __bytes__(self) -> bytes:
        self._made += 1
        return self._head + self._body.replace(b"@N@", self._mark())

    def _mark(self) -> bytes:
        return self._seed + b"%012d" % self._made


class Answer:
    """What came back for one request. Times are those of `time.perf_counter`, in seconds."""

    __slots__ = ("body", "done_mark", "ended", "events", "first", "how", "sent", "status")

    def __init__(self, sent: float) -> None:
        self.sent = sent
        self.ended = sent
        self.first: float | None = None
        self.how: How = "closed"
        self.status = 0
        self.events = 0
        self.done_mark = False
        self.body = bytearray()

    @property
    def good(self) -> bool:
        return self.how == "complete" and self.status == 200


class Connection(asyncio.Protocol):
    """One request at a time; `alive` says whether it may be used again."""

    def __init__(self) -> None:
        self.alive = False
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._left: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and no check: uvloop's transports are none of asyncio's classes.
        self._transport, self.alive = cast("asyncio.Transport", transport), True

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        self._finish("closed")

    def send(self, request: Request, leave_after: int | None = None) -> asyncio.Future[Answer]:
        """Ask; with `leave_after`, drop the connection after so many events."""
        assert self._transport is not None
        self._head, self._in_head, self._carry, self._end = b"", True, b"", b""
        self._chunked, self._left = False, None
        self._leave_after = leave_after
        self._answer = Answer(now())
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(bytes(request))
        return self._waiter

    def leave(self, how: How) -> None:
        """Drop the connection now."""
        assert self._transport is not None
        self.alive = False
        self._transport.abort()
        self._finish(how)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._waiter is None or self._waiter.done():
            return
        if self._in_head:
            rest = self._read_head(data)
            if rest is None or (not rest and self._left != 0):
                return
            data = rest
        self._count_events(data)
        if not self._waiter.done() and self._is_over(data):
            self._finish("complete")

    def _read_head(self, data: bytes) -> bytes | None:
        """What follows the head; None as long as the head is not whole."""
        assert self._answer is not None
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return None
        rest, head = self._head[end + 4 :], self._head[:end].lower()
        self._in_head = False
        self._answer.status = int(head.split(b" ", 2)[1])
        self._chunked = b"transfer-encoding: chunked" in head
        at = head.find(b"content-length:")
        self._left = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else None
        return rest

    def _count_events(self, data: bytes) -> None:
        answer = self._answer
        assert answer is not None
        text = self._carry + data
        count = text.count(EVENT)
        if count:
            answer.events += count
            if answer.first is None:
                answer.first = now()
        if DONE in text:
            answer.done_mark = True
        # One byte less than the mark, so that a mark cut by a packet's end counts once.
        self._carry = text[-(len(EVENT) - 1) :]
        answer.body += data
        del answer.body[:-BODY_KEPT]
        if self._leave_after and answer.events >= self._leave_after:
            self.leave("client_left")

    def _is_over(self, data: bytes) -> bool:
        if self._chunked:
            self._end = (self._end + data)[-len(LAST_CHUNK) :]
            return self._end == LAST_CHUNK
        if self._left is None:
            return False
        self._left -= len(data)
        return self._left <= 0

    def _finish(self, how: How) -> None:
        answer, waiter = self._answer, self._waiter
        if answer is None or waiter is None or waiter.done():
            return
        answer.how, answer.ended = how, now()
        waiter.set_result(answer)


class Pool:
    """Keep-alive connections to one loopback address."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._free: list[Connection] = []

    async def ask(self, request: Request, limit_s: float, leave_after: int | None = None) -> Answer:
        """One answer, good or not, within the limit."""
        connection = await self._get()
        waiter = connection.send(request, leave_after)
        done, _ = await asyncio.wait([waiter], timeout=limit_s)
        if not done:
            connection.leave("client_timeout")
        answer = await waiter
        if connection.alive and answer.how == "complete":
            self._free.append(connection)
        return answer

    async def _get(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if connection.alive:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, *self._address)
        return connection

"""One HTTP exchange over raw ASGI: what the caller sent, and how to answer it once."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    MutableMapping,
    Sequence,
)
from contextlib import aclosing
from typing import Any

import msgspec

from serve_app.core.errors import ClientGone, GatewayError, TooLarge
from serve_app.core.trace import Trace, read_trace
from serve_app.core.trail import Trail
from serve_app.core.visitor import Visitor
from serve_app.ingress import problems
from serve_app.pipeline import Facts
from serve_app.wire.problem import OpenAIErrors
from serve_app.wire.shape import ErrorShape

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]

OPENAI_ERRORS: ErrorShape = OpenAIErrors()

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Exchange:
    """A request and its one answer.

    `headers` are the caller's, by lower-case name; of a repeated one the last counts.
    `reading_since` is set while the body is awaited, `sending_since` while the caller is not
    taking what we send. `shape` is how errors look to this caller. `route` is the template of its
    path once it is found, `params` the values that the path has there. `names_itself`: whether the
    answer's `x-request-id` is ours to send; Serve sends it itself. `client` is the address and the
    port that the connection came from, if that is known. `visitor` has a session of the console;
    nobody has who gives a key.
    """

    __slots__ = (
        "_names_itself",
        "_receive",
        "_send",
        "client",
        "facts",
        "headers",
        "method",
        "params",
        "path",
        "query",
        "reading_since",
        "request_id",
        "route",
        "scheme",
        "sending_since",
        "shape",
        "started",
        "status",
        "streamed",
        "trail",
        "visitor",
    )  # fmt: skip

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, names_itself: bool = True
    ) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self.scheme: str = scope.get("scheme", "http")
        self.client: Sequence[Any] | None = scope.get("client")
        self.route = ""
        self.params: dict[str, str] = {}
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self._names_itself = names_itself
        self.request_id = self._identify()
        traced = self.headers.get(b"traceparent")
        self.trail = Trail(self.request_id, None if traced is None else self._read_trace(traced))
        self.started = False
        self.streamed = False
        self.status = 0
        self.reading_since: float | None = None
        self.sending_since: float | None = None
        self.facts: Facts | None = None
        self.shape = OPENAI_ERRORS
        self.visitor: Visitor | None = None

    def _identify(self) -> str:
        """The caller's `x-request-id` where it is a sane one, else a new one."""
        given = self.headers.get(b"x-request-id", b"")
        if REQUEST_ID.fullmatch(given):
            return given.decode()
        return f"req_{secrets.token_hex(12)}"

    def _read_trace(self, parent: bytes) -> Trace | None:
        return read_trace(parent, self.headers.get(b"tracestate", b""))

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    # ----------------------------------------------------------------- reading

    async def body(self, limit: int) -> bytes:
        """The whole request body. How long it may take, the desk watches.

        Raises:
            TooLarge: more than `limit` bytes, announced or sent.
            ClientGone: the connection closed before it was whole.
        """
        self._check_announced(limit)
        self.reading_since = asyncio.get_running_loop().time()
        first, more = await self._next_part()
        self._check_size(first, limit)
        read = first if not more else await self._rest(bytearray(first), limit)
        self.reading_since = None
        return read

    async def _rest(self, read: bytearray, limit: int) -> bytes:
        more = True
        while more:
            part, more = await self._next_part()
            read += part
            self._check_size(read, limit)
        return bytes(read)

    async def _next_part(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The caller left before its request was complete")
        return message.get("body", b""), bool(message.get("more_body"))

    async def parts(self, limit: int) -> AsyncIterator[bytes]:
        """The request body as it comes. How long each part may take, the desk watches.

        Raises:
            TooLarge: more than `limit` bytes, announced or sent.
            ClientGone: the connection closed before it was whole.
        """
        self._check_announced(limit)
        read, more = 0, True
        while more:
            self.reading_since = asyncio.get_running_loop().time()
            part, more = await self._next_part()
            self.reading_since = None
            read += len(part)
            if read > limit:
                raise TooLarge(f"The body has more than {limit} bytes")
            yield part

    async def left(self) -> None:
        """Returns once the caller has gone; the body must have been read, or there be none."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _check_announced(self, limit: int) -> None:
        announced = self.headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > limit:
            raise TooLarge(f"The body has {int(announced)} bytes; at most {limit}")

    @staticmethod
    def _check_size(read: bytes | bytearray, limit: int) -> None:
        if len(read) > limit:
            raise TooLarge(f"The body has more than {limit} bytes")

    # --------------------------------------------------------------- answering

    async def answer(self, status: int, body: bytes, headers: Headers) -> None:
        """Send a complete answer."""
        await self._start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self._out(body, more=False)

    async def answer_json(self, status: int, value: Any, headers: Headers | None = None) -> None:
        await self.answer(status, msgspec.json.encode(value), [JSON, *(headers or ())])

    async def answer_stream(
        self, pieces: AsyncIterator[bytes], headers: Headers, status: int = 200
    ) -> None:
        """Send an event stream as its pieces come; a failure in it becomes its last event."""
        self.streamed = True
        await self._start(status, [*EVENT_STREAM, *headers])
        async with aclosing(pieces) as closing:  # type: ignore[type-var]
            async for piece in closing:
                await self._out(piece, more=True)
        await self._out(b"", more=False)

    async def answer_pieces(
        self, pieces: AsyncGenerator[bytes, None], size: int, headers: Headers
    ) -> None:
        """Send an answer of `size` bytes as its pieces come. One that breaks off is seen to have
        by its caller, because bytes are missing."""
        await self._start(200, [*headers, (b"content-length", b"%d" % size)])
        async with aclosing(pieces):
            if self.method != "HEAD":
                async for piece in pieces:
                    await self._out(piece, more=True)
        await self._out(b"", more=False)

    async def problem(self, error: GatewayError) -> None:
        """Answer with an error, in whatever way the exchange still allows."""
        if not self.started:
            body = self.shape.problem(error, self.request_id)
            await self.answer(error.status, body, problems.headers(error))
        elif self.streamed:
            await self._out(self.shape.problem_event(error, self.request_id), more=True)
            await self._out(b"", more=False)

    async def _start(self, status: int, headers: Headers) -> None:
        self.started = True
        self.status = status
        if self._names_itself:
            headers.append((b"x-request-id", self.request_id.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _out(self, body: bytes, *, more: bool) -> None:
        self.sending_since = asyncio.get_running_loop().time()
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self.sending_since = None

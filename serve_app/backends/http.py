"""HTTP to one backend: pooled connections, limits on the wall clock, one kind of failure.

The only importer of aiohttp. What goes wrong leaves here as `AttemptFailed`.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Mapping

import aiohttp
from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from serve_app.backends.base import AttemptFailed
from serve_app.backends.patience import Patience, timed_out
from serve_app.config.backend_settings import BackendTimeouts

MAX_BODY_BYTES = 32 << 20
"""Of a whole body, after decompression."""

KEEP_ALIVE_S = 20.0
"""An idle connection older than this is not used again: many servers close them soon after."""

GOODBYE_S = 1.0
"""So long a finished stream may take to end its HTTP message, or its connection is closed."""

_MAX_URLS = 1000
"""Parsed addresses that are kept; paths come from names of models."""

_IO_BYTES = 1 << 20
"""aiohttp writes larger `bytes` in one go and warns about it; as a file it sends them in steps."""


class Client:
    """POSTs to one address over a pool of connections that belongs to the running loop.

    Redirects are answers, not followed; cookies and proxy variables of the environment are
    ignored; nothing is retried.

    Args:
        base: address in front of every path.

    Raises:
        ValueError: `base` is no URL.
    """

    def __init__(self, base: str, timeouts: BackendTimeouts, connections: int) -> None:
        self._base = str(URL(base)).rstrip("/")
        self._urls: dict[str, URL] = {}
        self._timeouts = timeouts
        self._connections = connections
        self._session: ClientSession | None = None
        self._leaving: set[ClientResponse] = set()
        self._is_closed = False

    async def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        total_s: float,
        *,
        stream: bool,
    ) -> Response:
        """Send a request; return when the head of the answer is here.

        A whole reply's head comes when the model is done, so only a stream has to begin within
        `first_token_s`. The answer's limits count from this call on. Close it, whatever happens.

        Raises:
            AttemptFailed: no answer.
        """
        loop = asyncio.get_running_loop()
        limits = self._timeouts
        patience = Patience(
            loop.time(),
            first_s=limits.first_token_s if stream else limits.total_s,
            idle_s=limits.idle_s,
            total_s=min(total_s, limits.total_s),
        )
        try:
            async with asyncio.timeout_at(patience.due_at):
                answer = await self._open().post(
                    self._url(path),
                    data=body if len(body) < _IO_BYTES else io.BytesIO(body),
                    headers=headers,
                    allow_redirects=False,
                )
            return Response(answer, loop, patience, self._leaving)
        except aiohttp.ConnectionTimeoutError:
            failed = timed_out(f"no connection within {limits.connect_s:g} s")
        except TimeoutError:
            failed = patience.overrun()
        except (aiohttp.ClientError, OSError) as error:
            failed = _failure(error)
        raise failed  # without aiohttp's error: it, and the frames below it, hold the headers

    def _url(self, path: str) -> URL:
        """Parsed once for each path; there are as many as models."""
        url = self._urls.get(path)
        if url is None:
            if len(self._urls) >= _MAX_URLS:
                self._urls.clear()
            url = self._urls[path] = URL(self._base + path)
        return url

    def _open(self) -> ClientSession:
        if self._is_closed:
            raise AttemptFailed("candidate", "the gateway closes its connections", code="closed")
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE_S),
                timeout=ClientTimeout(total=None, connect=self._timeouts.connect_s),
                cookie_jar=DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        """Close every connection; running calls fail."""
        self._is_closed = True
        for answer in self._leaving:
            answer.close()
        if self._session is not None:
            await self._session.close()


class Response:
    """An answer under way. One timer watches it, however many pieces come.

    The timer puts the failure into aiohttp's stream, which wakes who reads: no task is
    cancelled and no timer armed per piece (`asyncio.timeout` around each read: 3 us).
    """

    __slots__ = (
        "_answer",
        "_armed_for",
        "_finished",
        "_leaving",
        "_loop",
        "_patience",
        "_timer",
        "status",
    )

    def __init__(
        self,
        answer: ClientResponse,
        loop: asyncio.AbstractEventLoop,
        patience: Patience,
        leaving: set[ClientResponse],
    ) -> None:
        self._answer = answer
        self._loop = loop
        self._patience = patience
        self._leaving = leaving
        self._finished = False
        self.status = answer.status
        self._armed_for = patience.due_at
        self._timer: asyncio.TimerHandle | None = loop.call_at(patience.due_at, self._look)

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, whatever its case."""
        return self._answer.headers

    async def read(self) -> bytes:
        """The next piece as the network gave it, empty at the end.

        Raises:
            AttemptFailed: connection lost, broken encoding, or a limit was reached.
        """
        try:
            return await self._answer.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            failed = _failure(error)
        raise failed

    async def body(self, max_bytes: int = MAX_BODY_BYTES) -> bytes:
        """The whole body.

        Raises:
            AttemptFailed: as `read`, or the body is larger than `max_bytes`.
        """
        pieces: list[bytes] = []
        size = 0
        while True:
            self.hold()
            self.resume()
            piece = await self.read()
            if not piece:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
            if size > max_bytes:
                raise AttemptFailed("candidate", f"the answer is larger than {max_bytes} bytes")

    def hold(self) -> None:
        """Something real came: until `resume`, only the limit of the whole call runs."""
        self._patience.hold()

    def resume(self, at_most_s: float | None = None) -> None:
        """The next event is waited for, `at_most_s` seconds or the idle limit."""
        self._patience.resume(self._loop.time(), at_most_s)
        if self._patience.due_at < self._armed_for and self._timer is not None:
            self._timer.cancel()
            self._arm()

    def _arm(self) -> None:
        self._armed_for = self._patience.due_at
        self._timer = self._loop.call_at(self._armed_for, self._look)

    def _look(self) -> None:
        """The timer: re-armed as long as the limit has moved on meanwhile."""
        self._timer = None
        if self._loop.time() < self._patience.due_at:
            self._arm()
        else:
            self._answer.content.set_exception(self._patience.overrun())

    def finish(self) -> None:
        """The answer is whole: keep the connection for the next one if its message ends soon."""
        self._finished = True
        if not self._answer.content.is_eof():  # at the end aiohttp gives the connection back
            self._leaving.add(self._answer)
            self._loop.call_later(GOODBYE_S, self._leave)

    def _leave(self) -> None:
        self._leaving.discard(self._answer)
        self._answer.close()

    def close(self) -> None:
        """Let go of the answer; its connection is closed at once unless the answer is whole."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._finished:
            self._answer.close()


def _failure(error: Exception) -> AttemptFailed:
    """What a network error means. Its own words may hold addresses; ours do not."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return AttemptFailed("candidate", "the TLS handshake failed", code="tls")
        case ssl.SSLError():
            return AttemptFailed("transient", "the TLS connection broke", code="reset")
        case aiohttp.ClientConnectorDNSError():
            return AttemptFailed("transient", "the host name is not known", code="unreachable")
        case aiohttp.ClientConnectorError():
            return AttemptFailed("transient", "no connection", code="unreachable")
        case aiohttp.ClientPayloadError():
            return AttemptFailed("transient", "the answer broke off", code="truncated")
        case aiohttp.ClientResponseError():
            return AttemptFailed("transient", "the answer is no valid HTTP", code="malformed")
        case aiohttp.InvalidURL():
            return AttemptFailed("candidate", "the base URL is not valid", code="bad_url")
        case _:
            return AttemptFailed("transient", "the connection was lost", code="reset")

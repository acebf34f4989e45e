"""HTTP to MCP servers: bounded answers; public addresses only, where callers chose the server."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import httpx2

from serve_app.core.addresses import NotPublic, public_addresses

MAX_ANSWER_BYTES = 8 << 20
"""Of one response; a stream of events, too."""
_CONNECT_S, _READ_S = 10.0, 300.0
_PORTS = {"http": 80, "https": 443}


class Forbidden(httpx2.ConnectError):
    """The server is not to be called; the message is for the caller who named it."""


class Guarded(httpx2.AsyncBaseTransport):
    """What a client sends through; what is below it outlives the client.

    Args:
        inner: the pool of connections; of one server alone.
        public_only: names are resolved here, and the address that was looked at is called: a name
            cannot become another address in between.
        owns: whether the pool ends with the client.
    """

    def __init__(
        self, inner: httpx2.AsyncHTTPTransport, *, public_only: bool = False, owns: bool = False
    ) -> None:
        self._inner = inner
        self._public_only = public_only
        self._owns = owns

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """
        Raises:
            Forbidden: the server's address is not public.
            httpx2.RemoteProtocolError: it compresses its answer though we asked it not to, so
                that its size would be anybody's guess.
        """
        sent = await _to_address(request) if self._public_only else request
        response = await self._inner.handle_async_request(sent)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("a compressed answer")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream)
        return response

    async def aclose(self) -> None:
        if self._owns:
            await self._inner.aclose()


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = MAX_ANSWER_BYTES
        async for part in self._inner:
            room -= len(part)
            if room < 0:
                raise httpx2.RemoteProtocolError("an answer that is too long")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _to_address(request: httpx2.Request) -> httpx2.Request:
    """The same request to an address of its host; TLS still checks the host's name."""
    url = request.url
    try:
        [address, *_] = await public_addresses(url.host, url.port or _PORTS[url.scheme])
    except NotPublic as error:
        raise Forbidden(str(error)) from None
    return httpx2.Request(
        request.method,
        url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": url.host},
    )


def pool(context: ssl.SSLContext) -> httpx2.AsyncHTTPTransport:
    """Connections to one server."""
    return httpx2.AsyncHTTPTransport(verify=context, trust_env=False)


def client(transport: httpx2.AsyncBaseTransport, headers: dict[str, str]) -> httpx2.AsyncClient:
    """A client for one session. It is sent no further than its server: the MCP client follows
    redirects within an origin only."""
    return httpx2.AsyncClient(
        transport=transport,
        headers={"accept-encoding": "identity", **headers},
        timeout=httpx2.Timeout(_CONNECT_S, read=_READ_S),
        trust_env=False,
    )

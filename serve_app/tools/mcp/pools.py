"""Connections of this process to MCP servers, and the sessions that go over them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial

import httpx2

from serve_app.tools.mcp import http
from serve_app.tools.mcp.connection import Connection
from serve_app.tools.servers import Endpoint


class Pools:
    """Opens sessions, and sees that all of them end.

    A server of the policy has one pool of connections for all requests; one that a request has
    chosen has a pool of that session alone.
    """

    def __init__(self) -> None:
        self._context = ssl.create_default_context()
        self._shared: dict[str, httpx2.AsyncHTTPTransport] = {}
        self._sessions: set[asyncio.Task[None]] = set()

    def session(self, endpoint: Endpoint) -> Connection:
        """A session that is opened when it is first needed. Close it."""
        return Connection(endpoint.label, endpoint.url, self._connect(endpoint), begun=self._watch)

    def _connect(self, endpoint: Endpoint) -> Callable[[], httpx2.AsyncClient]:
        if endpoint.listed:
            shared = self._shared.get(endpoint.url)
            if shared is None:
                shared = self._shared[endpoint.url] = http.pool(self._context)
            return partial(http.client, http.Guarded(shared), endpoint.headers)
        return lambda: http.client(
            http.Guarded(http.pool(self._context), public_only=True, owns=True), endpoint.headers
        )

    def _watch(self, task: asyncio.Task[None]) -> None:
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def close(self) -> None:
        """End all sessions and connections."""
        sessions = list(self._sessions)
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        for shared in self._shared.values():
            await shared.aclose()
        self._shared.clear()

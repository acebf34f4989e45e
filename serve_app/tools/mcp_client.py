"""The client of MCP servers, loaded when it is needed: its import takes a second."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
from typing import TYPE_CHECKING

from serve_app.core.errors import UpstreamFailed
from serve_app.tools.mcp_tools import Session
from serve_app.tools.servers import Endpoint

if TYPE_CHECKING:
    from serve_app.tools.mcp.pools import Pools

logger = logging.getLogger(__name__)

_POOLS = "serve_app.tools.mcp.pools"


class McpClient:
    """Opens sessions with servers."""

    def __init__(self) -> None:
        self._pools: Pools | None = None
        self._loading = asyncio.Lock()
        self._loader: asyncio.Task[Pools] | None = None

    @staticmethod
    def is_installed() -> bool:
        return importlib.util.find_spec("mcp") is not None

    def start(self) -> None:
        """Begin loading, so that no request has to wait for it."""
        self._loader = asyncio.get_running_loop().create_task(self._loaded(), name="MCP client")

    async def close(self) -> None:
        """End all sessions."""
        if self._loader is not None:
            self._loader.cancel()
            await asyncio.gather(self._loader, return_exceptions=True)
        if self._pools is not None:
            await self._pools.close()

    async def session(self, endpoint: Endpoint) -> Session:
        """A session for one request. Close it.

        Raises:
            UpstreamFailed: the package `mcp` is another version than is needed.
        """
        pools = self._pools or await self._loaded()
        return pools.session(endpoint)

    async def _loaded(self) -> Pools:
        async with self._loading:
            if self._pools is None:
                try:
                    made = await asyncio.to_thread(importlib.import_module, _POOLS)
                except ImportError as error:
                    logger.error("the client of MCP servers cannot be loaded: %s", error)
                    raise UpstreamFailed(
                        "The gateway's client of MCP servers cannot be loaded",
                        code="mcp_client_unavailable",
                    ) from None
                self._pools = made.Pools()
            return self._pools

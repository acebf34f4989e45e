"""What servers list, kept for some minutes: one look-up for all requests that need it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from serve_app.core.clock import Clock
from serve_app.core.tools import ToolSpec

Tools = tuple[ToolSpec, ...]

_FAILED_S = 5.0
"""So long a server that could not list its tools is not asked again."""


class ServerAway(Exception):
    """A server that could not list its tools; the message says why, without a secret."""


class _Kept:
    def __init__(self) -> None:
        self.looking = asyncio.Lock()
        self.until = float("-inf")
        self.tools: Tools = ()
        self.why = ""


class Listings:
    """
    Args:
        ttl_s: how long a list is good.
        most: lists that are kept; that not asked for for longest goes first.
    """

    def __init__(self, clock: Clock, ttl_s: float, most: int = 256) -> None:
        self._clock = clock
        self._ttl_s = ttl_s
        self._most = most
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def of(self, key: str, look: Callable[[], Awaitable[Tools]]) -> Tools:
        """The list under a key, looked up by the first who needs it while the others wait.

        Raises:
            ServerAway: it could not be, just now.
        """
        kept = self._kept.setdefault(key, _Kept())
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        async with kept.looking:
            if self._clock.monotonic() >= kept.until:
                await self._look(kept, look)
        if kept.why:
            raise ServerAway(kept.why)
        return kept.tools

    async def _look(self, kept: _Kept, look: Callable[[], Awaitable[Tools]]) -> None:
        try:
            kept.tools, kept.why = await look(), ""
        except ServerAway as error:
            kept.why = str(error)
        life_s = min(_FAILED_S, self._ttl_s) if kept.why else self._ttl_s
        kept.until = self._clock.monotonic() + life_s

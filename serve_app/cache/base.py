"""The pantry's contract."""

from __future__ import annotations

from typing import Protocol

from serve_app.core.kept import CacheState, Fill, Found, Hot, Lookup, Purge, Purged, TopQuery


class Cache(Protocol):
    """A batch in, a result for each item, in order. A level that is away is a miss."""

    async def lookup(self, batch: list[Lookup]) -> list[Found]:
        """Find stored answers: equal requests first, then alike questions."""

    async def fill(self, batch: list[Fill]) -> list[bool]:
        """Store answers; False where an entry was not kept (too large, expired, purged)."""

    async def purge(self, batch: list[Purge]) -> list[Purged]:
        """Remove answers from Redis now, and from every replica within a second."""

    async def top(self, batch: list[TopQuery]) -> list[list[Hot]]:
        """Questions that are asked most."""

    async def state(self, batch: list[bool]) -> list[CacheState]:
        """How the cache does; the items of the batch say nothing."""


METHODS = {
    "lookup": (Lookup, Found),
    "fill": (Fill, bool),
    "purge": (Purge, Purged),
    "top": (TopQuery, list[Hot]),
    "state": (bool, CacheState),
}

"""The pantry's contract."""

from __future__ import annotations

from typing import Protocol

from serve_app.core.types import Fill, Found, Lookup


class Cache(Protocol):
    """A batch in, a result for each item, in order. A level that is away is a miss."""

    async def lookup(self, batch: list[Lookup]) -> list[Found]:
        """Find stored answers by fingerprint."""

    async def fill(self, batch: list[Fill]) -> list[bool]:
        """Store answers; False where an entry was not kept (too large, expired)."""


METHODS = {"lookup": (Lookup, Found), "fill": (Fill, bool)}

"""The second level: answers in Redis, shared by all replicas; entries in, entries out."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Final

from serve_app.cache.memory import is_expired
from serve_app.cache.packing import Corrupt, pack, unpack
from serve_app.core.clock import Clock
from serve_app.core.types import Entry, Fill, Lookup
from serve_app.store import keys
from serve_app.store.client import Command, Store

_PACK_IN_THREAD_BYTES: Final = 128 << 10
"""Compressing more than this (about 2 ms) would hold up the event loop."""

log = logging.getLogger(__name__)

_SPREAD: Final = 0.1
"""Answers stored together leave within this share of their life, so that they are not all made
anew at one moment. Only ever earlier: nothing outlives its `expires_at`."""


class Shared:
    """Answers in Redis by tenant and fingerprint. Every call is one round trip.

    Args:
        store: the Redis.
        max_entry_bytes: a packed value that would be larger unpacked counts as corrupt.
        clock: its wall time is compared with `expires_at`.
        rng: spreads the expiry.

    Every method raises `StoreUnavailable`.
    """

    def __init__(
        self, store: Store, max_entry_bytes: int, clock: Clock, rng: random.Random
    ) -> None:
        self._store = store
        self._max_entry_bytes = max_entry_bytes
        self._clock = clock
        self._rng = rng

    async def get_many(self, batch: Sequence[Lookup]) -> list[Entry | None]:
        """The entry for each lookup; a value that cannot be read is deleted and missed."""
        names = [keys.cache_entry(item.tenant, item.fingerprint) for item in batch]
        values = await self._values(names, {item.tenant for item in batch})
        corrupt: list[str] = []
        entries: list[Entry | None] = []
        for name, value in zip(names, values, strict=True):
            entry = None
            try:
                entry = self._living(value)
            except Corrupt as error:
                log.warning("deleting a stored answer that cannot be read: %s", error)
                corrupt.append(name)
            entries.append(entry)
        if corrupt:
            await self._store.pipeline([("DEL", name) for name in corrupt])
        return entries

    async def set_many(self, batch: Sequence[Fill]) -> None:
        """Store entries; those that have expired are left out."""
        now = self._clock.wall()
        living = [fill for fill in batch if not is_expired(fill.entry, now)]
        commands = [await self._command(fill, now) for fill in living]
        if commands:
            await self._store.pipeline(commands)

    async def _values(self, names: list[str], tenants: set[str]) -> list[bytes | None]:
        """One round trip. Keys of several tenants lie in several slots, where MGET may not go."""
        if len(tenants) == 1:
            return await self._store.get_many(names)
        return await self._store.pipeline([("GET", name) for name in names])

    def _living(self, value: bytes | None) -> Entry | None:
        if value is None:
            return None
        entry = unpack(value, self._max_entry_bytes)
        return None if is_expired(entry, self._clock.wall()) else entry

    async def _command(self, fill: Fill, now: float) -> Command:
        name = keys.cache_entry(fill.tenant, fill.fingerprint)
        value = await _packed(fill.entry)
        if fill.entry.expires_at <= 0:
            return ("SET", name, value)
        left_s = (fill.entry.expires_at - now) * (1.0 - _SPREAD * self._rng.random())
        return ("SET", name, value, "PX", max(1, int(left_s * 1000)))


async def _packed(entry: Entry) -> bytes:
    if len(entry.payload) > _PACK_IN_THREAD_BYTES:
        return await asyncio.to_thread(pack, entry)
    return pack(entry)

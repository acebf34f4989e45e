"""The pantry: fingerprints in, stored answers out; first this process, then Redis.

What Redis had is kept in this process too. A Redis that is away is a miss when looking and
nothing stored when filling, never an error; its breaker reports it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from serve_app.cache.memory import Memory, is_expired
from serve_app.cache.shared import Shared
from serve_app.config.policy import CachePolicy
from serve_app.config.structure import CacheStructure
from serve_app.core.clock import Clock
from serve_app.core.types import Entry, Fill, Found, Lookup
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable


class CacheStage:
    """Two levels of stored answers; implements `cache.base.Cache`.

    Args:
        policy: whether anything is stored or found at all.
        structure: sizes, and whether the Redis level is on.
        store: the Redis; None: this process only.
        clock: for expiry.
        rng: spreads expiry in Redis.
    """

    def __init__(
        self,
        policy: CachePolicy,
        structure: CacheStructure,
        store: Store | None,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._max_entry_bytes = structure.max_entry_bytes
        self._memory = Memory(structure.l1_bytes, clock)
        self._shared: Shared | None = None
        if store is not None and structure.l2:
            self._shared = Shared(store, structure.max_entry_bytes, clock, rng)

    def reconfigure(self, policy: CachePolicy) -> None:
        """Use another policy from the next call on."""
        self._policy = policy
        if not policy.enabled:
            self._memory.clear()

    async def lookup(self, batch: list[Lookup]) -> list[Found]:
        if not self._policy.enabled:
            return [Found("miss") for _ in batch]
        found = [self._near(item) for item in batch]
        missing = [index for index, item in enumerate(found) if item.entry is None]
        if missing and self._shared is not None:
            far = await self._far(self._shared, [batch[index] for index in missing])
            for index, entry in zip(missing, far, strict=True):
                if entry is not None:
                    self._memory.put(batch[index].fingerprint, entry)
                    found[index] = Found("l2", entry)
        return found

    async def fill(self, batch: list[Fill]) -> list[bool]:
        kept = [False] * len(batch)
        fit = [index for index, fill in enumerate(batch) if self._may_keep(fill.entry)]
        for index in fit:
            kept[index] = self._memory.put(batch[index].fingerprint, batch[index].entry)
        if await self._stored(self._shared, [batch[index] for index in fit]):
            for index in fit:
                kept[index] = True
        return kept

    def _near(self, item: Lookup) -> Found:
        entry = self._memory.get(item.fingerprint)
        return Found("miss") if entry is None else Found("l1", entry)

    async def _far(self, shared: Shared, batch: Sequence[Lookup]) -> Sequence[Entry | None]:
        try:
            return await shared.get_many(batch)
        except StoreUnavailable:
            return [None] * len(batch)

    async def _stored(self, shared: Shared | None, fills: Sequence[Fill]) -> bool:
        """Store in Redis; whether it has them all now."""
        if shared is None or not fills:
            return False
        try:
            await shared.set_many(fills)
        except StoreUnavailable:
            return False
        return True

    def _may_keep(self, entry: Entry) -> bool:
        return (
            self._policy.enabled
            and len(entry.payload) <= self._max_entry_bytes
            and not is_expired(entry, self._clock.wall())
        )

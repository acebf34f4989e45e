"""The two levels that know answers by name: this process, then Redis."""

from __future__ import annotations

from collections.abc import Sequence

from serve_app.cache.barred import Barred
from serve_app.cache.memory import Memory, is_expired
from serve_app.cache.purges import Purges
from serve_app.cache.shared import Shared, is_young
from serve_app.core.clock import Clock
from serve_app.core.kept import Entry, Fill, Found, Lookup
from serve_app.store.errors import StoreUnavailable


class Levels:
    """Finds and keeps answers. What Redis had is kept near from then on.

    Args:
        shared: the Redis level; None: there is none.
        purges: is asked before Redis is used for the first time; None: nobody else purges.
        max_entry_bytes: larger payloads are not kept.
    """

    def __init__(
        self,
        memory: Memory,
        shared: Shared | None,
        purges: Purges | None,
        barred: Barred,
        clock: Clock,
        max_entry_bytes: int,
    ) -> None:
        self._memory = memory
        self._shared = shared
        self._purges = purges
        self._barred = barred
        self._clock = clock
        self._max_entry_bytes = max_entry_bytes

    async def close(self) -> None:
        """Give up what is being looked for."""
        if self._shared is not None:
            await self._shared.close()

    async def find(self, batch: Sequence[Lookup]) -> list[Found]:
        """See `Cache.lookup`; without likeness."""
        found = [self._near(item) for item in batch]
        missing = [at for at, item in enumerate(found) if item.entry is None]
        if missing and self._shared is not None:
            far = await self._far(self._shared, [batch[at] for at in missing])
            if far is not None:
                for at, item in zip(missing, far, strict=True):
                    found[at] = item
        return found

    async def entry(self, tenant: str, fingerprint: str) -> tuple[Entry | None, bool]:
        """An answer by its name, and whether it is known that there is it or is none: not while
        Redis is away."""
        wanted = Lookup(fingerprint, tenant)
        if (entry := self._near(wanted).entry) is not None or self._shared is None:
            return entry, True
        found = await self._far(self._shared, [wanted])
        return (None, False) if found is None else (found[0].entry, True)

    def is_young(self, entry: Entry, max_age_s: int | None) -> bool:
        """Whether an answer is no older than somebody wants it."""
        return is_young(entry, max_age_s, self._clock.wall())

    async def keep(self, fills: Sequence[Fill]) -> list[bool]:
        """Store what may be kept, and end the flights of all; True where it is stored now."""
        redis = self._shared if await self._may_use_redis() else None
        kept = [False] * len(fills)
        good: list[int] = []
        rest: list[Fill] = []
        for at, fill in enumerate(fills):
            if self._may_keep(fill):
                kept[at] = self._memory.put(fill.tenant, fill.fingerprint, fill.entry)
                good.append(at)
            else:
                rest.append(fill)
        if redis is not None:
            stored = await self._store(redis, [fills[at] for at in good])
            for at, is_stored in zip(good, stored, strict=True):
                kept[at] = kept[at] or is_stored
            await self.release(rest)
        return kept

    async def release(self, batch: Sequence[Lookup | Fill]) -> None:
        """End flights that store nothing, so that nobody waits for their leases to end."""
        if self._shared is None:
            return
        try:
            await self._shared.release(batch)
        except StoreUnavailable:
            return

    def _near(self, item: Lookup) -> Found:
        entry = self._memory.get(item.tenant, item.fingerprint)
        if entry is None or not self.is_young(entry, item.max_age_s):
            return Found("miss")
        return Found("l1", entry)

    async def _far(self, shared: Shared, batch: Sequence[Lookup]) -> Sequence[Found] | None:
        """What Redis has; None: it is away."""
        if not await self._may_use_redis():
            return None
        try:
            found = await shared.seek(batch)
        except StoreUnavailable:
            return None
        for item, far in zip(batch, found, strict=True):
            # It may have been purged since it was read.
            if far.entry is not None and not self._bars(item, far.entry):
                self._memory.put(item.tenant, item.fingerprint, far.entry)
        return found

    async def _may_use_redis(self) -> bool:
        """False if it is not known what was purged before this process came."""
        if self._purges is None:
            return True
        try:
            await self._purges.know()
        except StoreUnavailable:
            return False
        return True

    async def _store(self, shared: Shared, fills: Sequence[Fill]) -> Sequence[bool]:
        try:
            return await shared.fill(fills) if fills else []
        except StoreUnavailable:
            return [False] * len(fills)

    def _may_keep(self, fill: Fill) -> bool:
        entry = fill.entry
        return (
            len(entry.payload) <= self._max_entry_bytes
            and not is_expired(entry, self._clock.wall())
            and not self._bars(fill, entry)
        )

    def _bars(self, item: Lookup | Fill, entry: Entry) -> bool:
        return self._barred.bars(item.tenant, item.fingerprint, entry)

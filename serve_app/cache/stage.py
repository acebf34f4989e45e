"""The pantry: questions in, stored answers out; first this process, then Redis, then likeness.

What Redis had is kept in this process too. A Redis that is away is a miss when looking and
nothing stored when filling, never an error; its breaker reports it. Only who purges is told that
a purge could not reach everybody.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from serve_app.cache.alike import Alike, Semantic
from serve_app.cache.barred import TOLERANCE_S, Barred
from serve_app.cache.hot import HotQuestions
from serve_app.cache.interval import wilson
from serve_app.cache.levels import Levels
from serve_app.cache.memory import Memory
from serve_app.cache.purges import Dated, Purges
from serve_app.cache.shared import Shared
from serve_app.cache.sweep import sweep
from serve_app.config.policy import CachePolicy
from serve_app.config.structure import CacheStructure
from serve_app.core.clock import Clock
from serve_app.core.errors import Overloaded
from serve_app.core.kept import CacheState, Fill, Found, Hot, Lookup, Purge, Purged, TopQuery
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable

_WALKED_ONE_BY_ONE: Final = 8
"""More purges than that at once (Redis was away for long) empty the first level instead: to walk
through it for each would take too long."""
_A_STEP: Final = 1000
"""Entries looked at in one go: less than a millisecond."""


class CacheStage:
    """The levels of stored answers; implements `cache.base.Cache`. `start` it, `close` it.

    Args:
        policy: whether anything is stored or found at all.
        structure: sizes, and whether the Redis level is on.
        store: the Redis, through which replicas hear of purges even without the Redis level;
            None: this process only.
        clock: for expiry and age.
        rng: spreads expiry in Redis.
        semantic: finds alike questions; None: only equal requests are found.
    """

    def __init__(
        self,
        policy: CachePolicy,
        structure: CacheStructure,
        store: Store | None,
        clock: Clock,
        rng: random.Random,
        semantic: Semantic | None = None,
    ) -> None:
        limit = structure.max_entry_bytes
        self._clock = clock
        self._memory = Memory(structure.l1_bytes, clock)
        self._barred = Barred()
        self._store = store
        self._purges: Purges | None = None
        self._hot: HotQuestions | None = None
        shared: Shared | None = None
        if store is not None:
            self._purges = Purges(store, self._hear, self._memory.clear)
            self._hot = HotQuestions(store)
            if structure.l2:
                shared = Shared(store, limit, clock, rng, self._barred)
        self._levels = Levels(self._memory, shared, self._purges, self._barred, clock, limit)
        self._semantic = semantic
        self._alike = None if semantic is None else Alike(semantic, self._levels)
        self.reconfigure(policy)

    def start(self) -> None:
        """Start what works beside the requests; call it in the running loop."""
        if self._purges is not None:
            self._purges.start()
        if self._hot is not None:
            self._hot.start()
        if self._semantic is not None:
            self._semantic.start()

    async def close(self) -> None:
        """Stop it."""
        if self._semantic is not None:
            await self._semantic.close()
        if self._hot is not None:
            await self._hot.close()
        if self._purges is not None:
            await self._purges.close()
        await self._levels.close()

    def reconfigure(self, policy: CachePolicy) -> None:
        """Use another policy from the next call on."""
        self._is_on = policy.enabled
        if not self._is_on:
            self._memory.clear()
        if self._semantic is not None:
            self._semantic.reconfigure(policy.semantic)

    async def lookup(self, batch: list[Lookup]) -> list[Found]:
        if not self._is_on:
            return [Found("miss") for _ in batch]
        found = await self._levels.find(batch)
        if self._alike is not None:
            await self._alike.find(batch, found)
        if self._hot is not None:
            for looked, item in zip(batch, found, strict=True):
                self._hot.note(looked, item)
        return found

    async def fill(self, batch: list[Fill]) -> list[bool]:
        if not self._is_on:
            await self._levels.release(batch)
            return [False] * len(batch)
        fills = [_dated(fill) for fill in batch]
        kept = await self._levels.keep(fills)
        if self._alike is not None:
            await self._alike.learn(fills, kept)
        return kept

    async def purge(self, batch: list[Purge]) -> list[Purged]:
        """See `Cache.purge`.

        Raises:
            Overloaded: Redis is away; what is in this process has gone, but nobody else knows.
        """
        return [await self._purge(purge) for purge in batch]

    async def _purge(self, purge: Purge) -> Purged:
        now = self._clock.wall()
        self._barred.add(purge, now)
        gone = await self._walk(purge, now)
        if self._semantic is not None:
            self._semantic.forget(purge.tenant, purge)
        if self._store is None or self._purges is None:
            return Purged(gone)
        try:
            await self._purges.tell(purge)
            return Purged(await sweep(self._store, purge))
        except StoreUnavailable as error:
            raise Overloaded(
                f"Redis is away ({error.reason}): the answers may not have gone everywhere; "
                "purge again",
                code="purge_incomplete",
                retry_after_s=1.0,
            ) from None

    async def _hear(self, purges: Sequence[Dated], are_new: bool) -> None:
        """Purges of any replica. Those from before we came say nothing about what we hold."""
        for purge, at in purges:
            self._barred.add(purge, at)
        if len(purges) > _WALKED_ONE_BY_ONE:
            self._memory.clear()
        else:
            for purge, at in purges:
                await self._walk(purge, at)
        if self._semantic is not None and are_new:
            for purge, _ in purges:
                self._semantic.forget(purge.tenant, purge)

    async def _walk(self, purge: Purge, at: float) -> int:
        """Remove from this process what a purge is of, and let others run in between."""
        names, gone = self._memory.names(), 0
        for start in range(0, len(names), _A_STEP):
            step = names[start : start + _A_STEP]
            gone += self._memory.purge(purge, at + TOLERANCE_S, step)
            await asyncio.sleep(0)
        return gone

    async def top(self, batch: list[TopQuery]) -> list[list[Hot]]:
        if self._hot is None:
            return [[] for _ in batch]
        try:
            await self._hot.flush()
            return list(await asyncio.gather(*map(self._hot.top, batch)))
        except StoreUnavailable:
            return [[] for _ in batch]

    async def state(self, batch: list[bool]) -> list[CacheState]:
        state = CacheState(l1_entries=len(self._memory), l1_bytes=self._memory.held_bytes)
        if self._semantic is not None:
            verified, wrong = await self._semantic.verdicts()
            low, high = wilson(wrong, verified)
            state = replace(
                state,
                questions=self._semantic.questions,
                verified=verified,
                wrong=wrong,
                wrong_share=wrong / verified if verified else 0.0,
                wrong_low=low,
                wrong_high=high,
            )
        return [state] * len(batch)


def _dated(fill: Fill) -> Fill:
    """The fill with an entry that says when it was asked for: it is judged by that wherever it is
    found later."""
    if fill.asked_at and not fill.entry.asked_at:
        return replace(fill, entry=replace(fill.entry, asked_at=fill.asked_at))
    return fill

"""The second level: answers in Redis, shared by all replicas; entries in, entries out."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from serve_app.cache.barred import Barred
from serve_app.cache.memory import is_expired
from serve_app.cache.packing import Corrupt, pack, unpack
from serve_app.core.clock import Clock
from serve_app.core.kept import Entry, Fill, Found, Lookup
from serve_app.store import keys
from serve_app.store.client import Call, Command, Store, StoreUnavailable
from serve_app.store.trips import Trips

LEASE_MS: Final = 3000
"""Life of a flight's lease; the flight renews it."""

_IN_THREAD_BYTES: Final = 128 << 10
"""Compressing more than this (about 2 ms), or reading it, would hold up the event loop."""

_TOGETHER_BYTES: Final = 16 << 10
"""Larger answers have a call of their own: a hundred of them in one would keep Redis busy."""

_FillArgs = tuple[bytes, int, str]
"""An answer (empty: none), milliseconds that it lives, who holds its flight's lease."""

_SPREAD: Final = 0.1
"""Answers stored together leave within this share of their life, so that they are not all made
anew at one moment. Only ever earlier: nothing outlives its `expires_at`."""

log = logging.getLogger(__name__)


class Shared:
    """Answers in Redis by tenant and fingerprint. Every call is one round trip, seldom two; lookups
    of one moment share theirs.

    Args:
        store: the Redis.
        max_entry_bytes: a packed value that would be larger unpacked counts as corrupt.
        clock: its wall time is compared with `expires_at`, and gives an entry its age.
        rng: spreads the expiry.
        barred: what was purged is neither found nor stored.

    Every method raises `StoreUnavailable`.
    """

    def __init__(
        self,
        store: Store,
        max_entry_bytes: int,
        clock: Clock,
        rng: random.Random,
        barred: Barred,
    ) -> None:
        self._store = store
        self._max_entry_bytes = max_entry_bytes
        self._clock = clock
        self._rng = rng
        self._barred = barred
        self._lookups: Trips[Sequence[Lookup], list[Any]] = Trips("cache lookups", self._carry)

    async def close(self) -> None:
        """Give up what is being looked for."""
        await self._lookups.close()

    async def seek(self, batch: Sequence[Lookup]) -> list[Found]:
        """The entry for each lookup. Where there is none that may be served, its holder tries to
        take the flight's lease; `leads` says whether it did."""
        values = await self._lookups.ask(batch)
        found: list[Found] = []
        useless: list[Command] = []
        late: list[int] = []
        for at, (item, value) in enumerate(zip(batch, values, strict=True)):
            if not isinstance(value, bytes):
                found.append(Found("miss", leads=value != 0))
                continue
            entry, is_dead = await self._judged(item, value)
            found.append(Found("miss" if entry is None else "l2", entry))
            if is_dead:
                useless.append(("DEL", keys.cache_entry(item.tenant, item.fingerprint)))
            if entry is None and item.holder:
                late.append(at)
        if useless or late:
            leads = await self._clear_and_claim(useless, [batch[at] for at in late])
            for at, is_ours in zip(late, leads, strict=True):
                found[at].leads = is_ours
        return found

    async def fill(self, batch: Sequence[Fill]) -> list[bool]:
        """Store entries and end their flights; False where one was refused."""
        now = self._clock.wall()
        return await self._filled([(fill, await self._args(fill, now)) for fill in batch])

    async def release(self, batch: Sequence[Lookup | Fill]) -> None:
        """End flights that have nothing to store."""
        held = [(item, (b"", 0, item.holder)) for item in batch if item.holder]
        if held:
            await self._filled(held)

    async def _filled(self, items: Sequence[tuple[Lookup | Fill, _FillArgs]]) -> list[bool]:
        """Small answers of a tenant go in one call."""
        groups = _together(
            (item.tenant, at if len(value) > _TOGETHER_BYTES else None)
            for at, (item, (value, _, _)) in enumerate(items)
        )
        calls: list[Call] = [
            (
                _all_names(items[at][0] for at in some),
                [part for at in some for part in items[at][1]],
            )
            for some in groups
        ]
        replies = await self._store.scripts("fill", calls)
        done = [False] * len(items)
        for some, reply in zip(groups, replies, strict=True):
            for at in some:
                done[at] = not isinstance(reply, StoreUnavailable)
        return done

    async def _carry(self, batches: list[Sequence[Lookup]]) -> list[list[Any]]:
        """For each lookup: a value, None, or whether it took the lease as 1 or 0. What a tenant
        looks for lies together, so that one call finds all of it."""
        items = [item for batch in batches for item in batch]
        groups = _together(item.tenant for item in items)
        calls: list[Call] = [
            (
                _all_names(items[at] for at in some),
                [LEASE_MS, *(items[at].holder for at in some)],
            )
            for some in groups
        ]
        told: list[Any] = [None] * len(items)
        replies = await self._store.scripts("seek", calls)
        for some, reply in zip(groups, replies, strict=True):
            if isinstance(reply, StoreUnavailable):
                continue  # as if nothing were there
            for at, one in zip(some, reply, strict=True):
                told[at] = one
        rest = iter(told)
        return [list(islice(rest, len(batch))) for batch in batches]

    async def _judged(self, item: Lookup, value: bytes) -> tuple[Entry | None, bool]:
        """The entry if it may be served, and whether it never may again."""
        try:
            entry = await self._unpacked(value)
        except Corrupt as error:
            log.warning("deleting a stored answer that cannot be read: %s", error)
            return None, True
        if self._barred.bars(item.tenant, item.fingerprint, entry):
            return None, True
        now = self._clock.wall()
        may_serve = not is_expired(entry, now) and is_young(entry, item.max_age_s, now)
        return (entry if may_serve else None), False

    async def _unpacked(self, value: bytes) -> Entry:
        if len(value) > _IN_THREAD_BYTES:
            return await asyncio.to_thread(unpack, value, self._max_entry_bytes)
        return unpack(value, self._max_entry_bytes)

    async def _clear_and_claim(
        self, useless: Sequence[Command], claims: Sequence[Lookup]
    ) -> list[bool]:
        """Delete what is useless, and take the leases that a value stood in the way of."""
        commands = list(useless)
        for item in claims:
            lease = keys.flight_lease(item.tenant, item.flight or item.fingerprint)
            commands += [("SET", lease, item.holder, "NX", "PX", LEASE_MS), ("GET", lease)]
        with suppress(StoreUnavailable):
            replies = await self._store.pipeline(commands)
            holders = replies[len(useless) + 1 :: 2]
            return [it.holder.encode() == held for it, held in zip(claims, holders, strict=True)]
        return [True] * len(claims)

    async def _args(self, fill: Fill, now: float) -> _FillArgs:
        value, ttl_ms = await _packed(fill.entry), 0
        if fill.entry.expires_at > 0:
            left_s = (fill.entry.expires_at - now) * (1.0 - _SPREAD * self._rng.random())
            ttl_ms = max(1, int(left_s * 1000))
        return value, ttl_ms, fill.holder


def is_young(entry: Entry, max_age_s: int | None, now: float) -> bool:
    """Whether an entry is no older than somebody wants it."""
    return max_age_s is None or now - entry.stored_at <= max_age_s


def _names(item: Lookup | Fill) -> tuple[str, str]:
    lease = keys.flight_lease(item.tenant, item.flight or item.fingerprint)
    return keys.cache_entry(item.tenant, item.fingerprint), lease


def _all_names(items: Iterable[Lookup | Fill]) -> list[str]:
    return [name for item in items for name in _names(item)]


def _together(names: Iterable[Hashable]) -> list[list[int]]:
    """The places of equal names."""
    places: dict[Hashable, list[int]] = {}
    for at, name in enumerate(names):
        places.setdefault(name, []).append(at)
    return list(places.values())


async def _packed(entry: Entry) -> bytes:
    if len(entry.payload) > _IN_THREAD_BYTES:
        return await asyncio.to_thread(pack, entry)
    return pack(entry)

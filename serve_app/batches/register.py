"""The state of batches in Redis: every change is one step, and takes effect once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import msgspec

from serve_app.batches.fields import FIELDS, batch_of
from serve_app.config.batch_policy import BatchesPolicy
from serve_app.core.batch import (
    OVER,
    Batch,
    BatchPage,
    BatchQuery,
    LineError,
    Shard,
    ShardDone,
    Status,
    Tally,
    Terms,
)
from serve_app.core.clock import Clock
from serve_app.core.errors import NotFound, RateLimited
from serve_app.store import keys
from serve_app.store.client import Argument, Store

_PORTION: Final = 500
"""Shards that are read at a time."""

_encode = msgspec.msgpack.Encoder().encode
_plan = msgspec.msgpack.Decoder(list[Shard])
_done = msgspec.msgpack.Decoder(ShardDone)


class Register:
    """Batches by tenant. Every method may raise `StoreUnavailable`."""

    def __init__(self, store: Store, policy: BatchesPolicy, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.policy = policy

    def reconfigure(self, policy: BatchesPolicy) -> None:
        """Another policy for what comes."""
        self.policy = policy

    async def enter(self, terms: Terms) -> Batch:
        """A new batch, to be validated.

        Raises:
            RateLimited: the tenant has too many that are not over.
        """
        policy = self.policy
        names = (_key(terms.tenant, terms.id), *_lists(terms.tenant))
        args = (terms.id, _encode(terms), policy.max_open, policy.keep_s)
        if await self._store.script("batch_put", names, args) == b"full":
            raise RateLimited(
                f"There are {policy.max_open} batches of yours that are not over; wait for one",
                code="too_many_batches",
                retry_after_s=60,
            )
        return Batch(terms, "validating")

    async def find(self, tenant: str, batch_id: str) -> Batch | None:
        [found] = await self._read(tenant, [batch_id])
        return found

    async def get(self, tenant: str, batch_id: str) -> Batch:
        """
        Raises:
            NotFound: there is no such batch, or no more.
        """
        if (found := await self.find(tenant, batch_id)) is None:
            raise NotFound(
                f"There is no batch {batch_id[:80]!r}", param="id", code="batch_not_found"
            )
        return found

    async def page(self, tenant: str, query: BatchQuery) -> BatchPage:
        """Batches, the newest first."""
        found: list[Batch] = []
        after, limit = query.after, query.limit + 1
        ids = [b""]
        while len(found) < limit and ids:
            start = f"({after}" if after else "+"
            key = keys.batches(tenant, "ids")
            command = ("ZREVRANGEBYLEX", key, start, "-", "LIMIT", 0, limit)
            [ids] = await self._store.pipeline([command])
            names = [one.decode() for one in ids]
            found += await self._there(tenant, names)
            after = names[-1] if names else ""
        return BatchPage(found[: query.limit], len(found) > query.limit)

    async def find_each(self, named: Sequence[tuple[str, str]]) -> list[Batch | None]:
        """Batches of any tenants, by tenant and id, in that order; None: it is kept no more."""
        if not named:
            return []
        stored: list[Any] = await self._store.pipeline(
            [("HMGET", _key(tenant, one), *FIELDS) for tenant, one in named]
        )
        return [batch_of(values) for values in stored]

    async def move(
        self, batch: Batch, start: Iterable[Status], end: Status, **fields: Argument
    ) -> Status | None:
        """Take a batch to a status, if it is in one of some.

        Returns:
            The status that it had; None: there is no such batch. The change was made if it is
            one of `start`.
        """
        names = (_key(batch.tenant, batch.id), keys.batches(batch.tenant, "open"))
        places = f",{','.join(start)},"
        more = [part for pair in fields.items() for part in pair]
        now = int(self._clock.wall())
        args = (batch.id, places, end, now, int(end in OVER), *more)
        had = cast("bytes", await self._store.script("batch_move", names, args)).decode()
        return cast("Status", had) if had else None

    async def begin(self, batch: Batch, plan: list[Shard], model: str) -> Status | None:
        """A batch is valid: from now on its shards can be worked off. See `move`."""
        return await self.move(
            batch,
            ("validating",),
            "in_progress",
            plan=_encode(plan),
            shards=len(plan),
            total=sum(shard.requests for shard in plan),
            model=model,
            done=0,
        )

    async def fail(self, batch: Batch, errors: list[LineError]) -> None:
        """A batch cannot be worked on."""
        where: tuple[Status, ...] = ("validating", "in_progress", "finalizing", "cancelling")
        await self.move(batch, where, "failed", errors=_encode(errors))

    async def plan(self, tenant: str, batch_id: str) -> list[Shard]:
        """The shards of a batch, in the order of its lines; none: it has not begun."""
        [stored] = await self._store.pipeline([("HGET", _key(tenant, batch_id), "plan")])
        return [] if stored is None else _plan.decode(stored)

    async def shard_done(
        self, tenant: str, batch_id: str, number: int, done: ShardDone
    ) -> tuple[int, int] | None:
        """A shard has been worked off, by this attempt or by another before it.

        Returns:
            How many shards are done, and how many there are; None: there is no such batch.
        """
        sums = [(name, getattr(done.tally, name)) for name in Tally.__struct_fields__]
        more: list[Argument] = [part for pair in sums for part in pair]
        args = (number, _encode(done), *more)
        reply = await self._store.script("batch_shard", [_key(tenant, batch_id)], args)
        return (int(reply[0]), int(reply[1])) if reply else None

    async def shards(self, tenant: str, batch_id: str, numbers: range) -> list[ShardDone | None]:
        """What shards came to, in the order of the numbers; None: it is not known yet."""
        found: list[ShardDone | None] = []
        for at in range(0, len(numbers), _PORTION):
            names = [f"shard:{number}" for number in numbers[at : at + _PORTION]]
            [stored] = await self._store.pipeline([("HMGET", _key(tenant, batch_id), *names)])
            found += [None if one is None else _done.decode(one) for one in stored]
        return found

    async def save(self, tenant: str, batch_id: str, number: int, part: str) -> None:
        """An attempt at a shard has come so far: the part says how far."""
        await self._store.pipeline([("HSET", _key(tenant, batch_id), f"saved:{number}", part)])

    async def saved(self, tenant: str, batch_id: str, number: int) -> str:
        """The part that says how far attempts at a shard have come; empty: there is none."""
        [part] = await self._store.pipeline([("HGET", _key(tenant, batch_id), f"saved:{number}")])
        return "" if part is None else cast("bytes", part).decode()

    async def _there(self, tenant: str, ids: list[str]) -> list[Batch]:
        """Of some batches, those that are still kept; the others leave the list."""
        batches = await self._read(tenant, ids)
        gone = [one for one, batch in zip(ids, batches, strict=True) if batch is None]
        if gone:
            await self._store.pipeline([("ZREM", keys.batches(tenant, "ids"), *gone)])
        return [batch for batch in batches if batch is not None]

    async def _read(self, tenant: str, ids: list[str]) -> list[Batch | None]:
        return await self.find_each([(tenant, one) for one in ids])


def _key(tenant: str, batch_id: str) -> str:
    return keys.batch(tenant, batch_id)


def _lists(tenant: str) -> tuple[str, str]:
    return keys.batches(tenant, "ids"), keys.batches(tenant, "open")

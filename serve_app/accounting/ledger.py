"""The books: what every request came to goes in, sums by tenant, user, model and day come out.

Nobody waits for the books. Settlements are summed up in memory; a background task takes the
sums to Redis each second. A batch that may or may not have arrived is sent again under its
number, and Redis adds each number once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct

from serve_app.accounting.totals import Settlement, Sums, Totals, fields, read_back, short
from serve_app.core.clock import Clock
from serve_app.store import keys
from serve_app.store.client import Argument, Call, Store, StoreUnavailable

__all__ = ["Ledger", "Settlement", "Sums", "Totals"]

log = logging.getLogger(__name__)

Row = tuple[str, str, str]
"""Day, user, model."""

OTHER = "(other)"
"""User and model of what is summed up together when there are too many of them."""
_BATCH_ROWS = 200
"""Rows in one batch, and in one round trip: a few milliseconds of Redis's time."""
_KEEP_DAYS_S = 400 * 86400
_MARK_S = 7 * 86400
"""Longer than a batch that was applied can wait to hear of it."""
_RETRY_S = 0.1


class Batch(Struct, frozen=True):
    """Sums of one tenant on their way to Redis; the number makes a second arrival harmless."""

    number: int
    rows: dict[Row, Sums]


class Ledger:
    """Sums up settlements and takes them to Redis.

    Args:
        store: where the sums are kept, for all replicas together.
        clock: for the day (UTC) of a settlement.
        interval_s: between two flushes.
        max_rows: different (tenant, day, user, model) kept in memory; what comes on top while
            Redis is away is summed up under `OTHER`, so that no cost is lost.
    """

    def __init__(
        self, store: Store, clock: Clock, *, interval_s: float = 1.0, max_rows: int = 20_000
    ) -> None:
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._max_rows = max_rows
        self._writer = secrets.token_hex(8)
        self._number = 0
        self._open: dict[str, dict[Row, Sums]] = {}
        self._open_rows = 0
        self._sent: dict[str, Batch] = {}
        self._flushing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._day_number, self._day = -1, ""
        self.dropped = 0
        """Settlements that never reached the books: Redis was away until the end."""

    def record(self, settled: Settlement) -> None:
        """Enter a settlement. Never waits and never fails; about two microseconds."""
        rows = self._open.setdefault(settled.tenant, {})
        row = (self._today(), short(settled.user), settled.model)
        sums = rows.get(row)
        if sums is None:
            if self._open_rows >= self._max_rows:
                row = (row[0], OTHER, OTHER)
            self._open_rows += row not in rows
            sums = rows.setdefault(row, Sums())
        sums.add(settled)

    @property
    def waiting(self) -> int:
        """Settlements that Redis has not confirmed yet."""
        batches = [*self._open.values(), *(batch.rows for batch in self._sent.values())]
        return sum(sums.requests for rows in batches for sums in rows.values())

    def start(self) -> None:
        """Begin to flush in the background; call it in the running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="ledger")

    async def flush(self) -> bool:
        """Take everything to Redis. False if some of it has to wait: Redis is away.

        What comes meanwhile waits for the next flush; under load there would be no end to it.
        """
        async with self._flushing:
            rounds = max((-(-len(rows) // _BATCH_ROWS) for rows in self._open.values()), default=0)
            for _ in range(rounds + bool(self._sent)):
                self._make_batches()
                if not await self._send():
                    return False
        return True

    async def close(self, limit_s: float = 5.0) -> None:
        """Stop the background task and flush what is left, for at most `limit_s` seconds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._flush_until_done()
        if lost := self.waiting:
            self.dropped += lost
            self._open, self._open_rows, self._sent = {}, 0, {}
            log.error("%d settlements are lost: Redis was away until the end", lost)

    async def totals(self, tenant: str, days: Sequence[str] = ()) -> Totals:
        """Sums of a tenant over some days (`2026-01-31`, UTC; none: today) as Redis has them.

        Raises:
            StoreUnavailable
        """
        wanted = [(d, kind) for d in days or [self._today()] for kind in ("total", "user", "model")]
        stored = await self._store.pipeline(
            [("HGETALL", keys.ledger_day(tenant, day, kind)) for day, kind in wanted]
        )
        sums: dict[str, dict[str, Sums]] = {"total": {}, "user": {}, "model": {}}
        for (_, kind), content in zip(wanted, stored, strict=True):
            read_back(content, sums[kind])
        return Totals(sums["total"].get("", Sums()), sums["user"], sums["model"])

    async def _flush_until_done(self) -> None:
        while True:
            if await self.flush() and not (self._open or self._sent):
                return
            await asyncio.sleep(_RETRY_S)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.flush()
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("the ledger could not be flushed")

    def _today(self) -> str:
        number = int(self._clock.wall() // 86400)
        if number != self._day_number:
            self._day_number = number
            self._day = time.strftime("%Y-%m-%d", time.gmtime(number * 86400))
        return self._day

    def _make_batches(self) -> None:
        """Number the sums of each tenant that has no batch under way."""
        for tenant in [t for t in self._open if t not in self._sent]:
            rows = self._open[tenant]
            taken = {row: rows.pop(row) for row in list(rows)[:_BATCH_ROWS]}
            self._open_rows -= len(taken)
            if not rows:
                del self._open[tenant]
            self._number += 1
            self._sent[tenant] = Batch(self._number, taken)

    async def _send(self) -> bool:
        """Send every batch under way; True if all of them arrived."""
        for tenants in self._trips():
            calls = [self._call(tenant, self._sent[tenant]) for tenant in tenants]
            try:
                replies = await self._store.scripts("settle", calls)
            except StoreUnavailable:
                return False
            for tenant, reply in zip(tenants, replies, strict=True):
                if not isinstance(reply, StoreUnavailable):
                    del self._sent[tenant]
        return not self._sent

    def _trips(self) -> list[list[str]]:
        """The tenants with batches under way, so many a round trip as Redis adds up in a moment."""
        trips: list[list[str]] = []
        room = 0
        for tenant, batch in self._sent.items():
            room -= len(batch.rows)
            if room < 0:
                trips.append([])
                room = _BATCH_ROWS - len(batch.rows)
            trips[-1].append(tenant)
        return trips

    def _call(self, tenant: str, batch: Batch) -> Call:
        hashes: dict[str, dict[str, Sums]] = {}
        for (day, user, model), sums in batch.rows.items():
            for kind, name in (("total", ""), ("user", user), ("model", model)):
                key = keys.ledger_day(tenant, day, kind)
                hashes.setdefault(key, {}).setdefault(name, Sums()).merge(sums)
        args: list[Argument] = [batch.number, _MARK_S, _KEEP_DAYS_S]
        for by_name in hashes.values():
            pairs = [pair for name, sums in by_name.items() for pair in fields(name, sums)]
            args.append(len(pairs))
            args.extend(part for pair in pairs for part in pair)
        return [keys.ledger_writer(tenant, self._writer), *hashes], args

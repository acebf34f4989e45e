"""The ledger: what requests came to goes in; sums by tenant, user, key, model and day come out.

Settlements are summed up in memory; a background task takes the sums to Redis, each second, or
at once where a lease is over. A batch that may or may not have arrived is sent again under its
number, and Redis adds each number once. So a lease ends, its limits are corrected, and the sums
grow in one step, once. A request that may be done twice has a name (`Lease.once`), and Redis
counts each name once.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress

from serve_app.accounting.bill import Bill
from serve_app.accounting.page import Batch, Page
from serve_app.accounting.posting import posted
from serve_app.accounting.totals import Sums, Totals, short
from serve_app.core.clock import Clock
from serve_app.core.limits import Lease
from serve_app.core.settlement import Settlement
from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable

__all__ = ["Ledger", "Settlement", "Sums", "Totals"]

log = logging.getLogger(__name__)

OTHER = "(other)"
"""User and model of what is summed up together when there are too many of them."""
_BATCH_ROWS = 200
"""Rows and leases in one batch, and in one round trip: a few milliseconds of Redis's time."""
_KINDS = ("total", "user", "model", "key")
_RETRY_S = 0.1


class Ledger:
    """Sums up settlements and takes them to Redis, with the leases that are over.

    Args:
        store: where the sums are kept, for all replicas together.
        clock: for the day (UTC) of a settlement.
        interval_s: between two flushes, where no lease hurries them.
        max_rows: different (tenant, day, user, model, key) kept in memory; what comes on top while
            Redis is away is summed up under `OTHER`, so that no cost is lost.
        together: whether all tenants' books stand in one slot of Redis.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        interval_s: float = 1.0,
        max_rows: int = 20_000,
        together: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._max_rows = max_rows
        self._together = together
        self._writer = secrets.token_hex(8)
        self._number = 0
        self._open: dict[str, Page] = {}
        self._open_rows = 0
        self._bills: dict[str, Bill] = {}
        """By lease: of requests that have a name and are under way."""
        self._sent: dict[str, Batch] = {}
        self._hurry = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._day_number, self._day = -1, ""
        self.dropped = 0
        """Settlements that never reached the books: Redis was away until the end."""

    def record(self, settled: Settlement, lease: Lease | None = None) -> None:
        """Enter a settlement. Never waits and never fails; about two microseconds.

        Args:
            lease: of the request. If it has a name, the settlement is entered when it is over.
        """
        row = (
            settled.tenant,
            self._today(),
            short(settled.user),
            settled.model,
            settled.key_id,
        )
        if lease is not None and lease.once and lease.is_open:
            self._bills.setdefault(lease.name, Bill(lease, {})).add(row, settled)
            return
        rows = self._page(settled.tenant).rows
        sums = rows.get(row)
        if sums is None:
            if self._open_rows >= self._max_rows:
                row = (row[0], row[1], OTHER, OTHER, OTHER)
            self._open_rows += row not in rows
            sums = rows.setdefault(row, Sums())
        sums.add(settled)

    def end(self, lease: Lease, tenant: str) -> None:
        """A lease is over: put what was used in the place of what was reserved, soon."""
        page = self._page(tenant)
        if lease.once:
            page.bills.append(self._bills.pop(lease.name, Bill(lease, {})))
        else:
            page.leases.append(lease)
        self._hurry.set()

    async def confirmed(self, tenant: str, limit_s: float) -> bool:
        """Wait until Redis has all that was entered for a tenant so far; False if that takes
        longer than `limit_s` seconds, or Redis is away: it gets it later."""
        owner = self._owner(tenant)
        page = self._open.get(owner)
        if page is None:
            sent = self._sent.get(owner)
            if sent is None:
                return True
            page = sent.page
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        page.waiters.append(waiter)
        self._hurry.set()
        try:
            async with asyncio.timeout(limit_s):
                return await waiter
        except TimeoutError:
            return False

    @property
    def waiting(self) -> int:
        """Settlements that Redis has not confirmed yet."""
        pages = [*self._open.values(), *(batch.page for batch in self._sent.values())]
        return sum(page.requests for page in pages)

    def start(self) -> None:
        """Begin to flush in the background; call it in the running loop."""
        if self._task is None:
            own = contextvars.Context()
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name="ledger", context=own)

    async def flush(self) -> bool:
        """Take everything to Redis. False if some of it has to wait: Redis is away.

        What comes meanwhile waits for the next flush; under load there would be no end to it.
        """
        async with self._flushing:
            rounds = max((-(-len(page) // _BATCH_ROWS) for page in self._open.values()), default=0)
            for _ in range(rounds + bool(self._sent)):
                self._make_batches()
                if not await self._send():
                    self._wake_all()
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
        merged = Totals(Sums(), {}, {}, {})
        for day in (await self.by_day(tenant, days or [self._today()])).values():
            merged.merge(day)
        return merged

    async def by_day(self, tenant: str, days: Sequence[str]) -> dict[str, Totals]:
        """Sums of a tenant for each of some days.

        Raises:
            StoreUnavailable
        """
        wanted = [(day, kind) for day in days for kind in _KINDS]
        stored = await self._store.pipeline(
            [("HGETALL", self._total(tenant, day, kind)) for day, kind in wanted]
        )
        found = {day: Totals(Sums(), {}, {}, {}) for day in days}
        for (day, kind), content in zip(wanted, stored, strict=True):
            found[day].read(kind, content)
        return found

    def last_days(self, count: int) -> list[str]:
        """Names of today and the days before it, oldest first."""
        today = int(self._clock.wall() // 86400)
        return [
            time.strftime("%Y-%m-%d", time.gmtime(day * 86400))
            for day in range(today - count + 1, today + 1)
        ]

    def _owner(self, tenant: str) -> str:
        return keys.TOGETHER if self._together else tenant

    def _page(self, tenant: str) -> Page:
        owner = self._owner(tenant)
        page = self._open.get(owner)
        if page is None:
            page = self._open[owner] = Page()
        return page

    def _total(self, tenant: str, day: str, kind: str) -> str:
        return keys.ledger_day(tenant, day, kind, self._owner(tenant))

    async def _flush_until_done(self) -> None:
        while True:
            if await self.flush() and not (self._open or self._sent):
                return
            await asyncio.sleep(_RETRY_S)

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._hurry.wait()
            self._hurry.clear()
            try:
                if not await self.flush():
                    await asyncio.sleep(_RETRY_S)
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("the ledger could not be flushed")

    def _today(self) -> str:
        number = int(self._clock.wall() // 86400)
        if number != self._day_number:
            self._day_number = number
            self._day = time.strftime("%Y-%m-%d", time.gmtime(number * 86400))
        return self._day

    def _make_batches(self) -> None:
        """Number the pages of each owner that has no batch under way."""
        for owner in [o for o in self._open if o not in self._sent]:
            page = self._open[owner]
            if len(page) <= _BATCH_ROWS:
                del self._open[owner]
                taken = page
            else:  # who waits, waits for the last part
                taken = page.first(_BATCH_ROWS)
            self._open_rows -= len(taken.rows)
            self._number += 1
            self._sent[owner] = Batch(self._number, taken)

    async def _send(self) -> bool:
        """Send every batch under way; True if all of them arrived."""
        for owners in self._trips():
            calls = [posted(owner, self._writer, self._sent[owner]) for owner in owners]
            try:
                replies = await self._store.scripts("ledger", calls)
            except StoreUnavailable:
                return False
            for owner, reply in zip(owners, replies, strict=True):
                if not isinstance(reply, StoreUnavailable):
                    self._sent.pop(owner).page.wake(True)
        return not self._sent

    def _wake_all(self) -> None:
        """Nobody waits for a Redis that is away."""
        for page in (*self._open.values(), *(batch.page for batch in self._sent.values())):
            page.wake(False)

    def _trips(self) -> list[list[str]]:
        """The owners with batches under way, so many a round trip as Redis adds up in a moment."""
        trips: list[list[str]] = []
        room = 0
        for owner, batch in self._sent.items():
            room -= len(batch.page)
            if room < 0:
                trips.append([])
                room = _BATCH_ROWS - len(batch.page)
            trips[-1].append(owner)
        return trips

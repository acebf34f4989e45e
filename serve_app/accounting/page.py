"""What the books are still to be told of one owner, and the batch that tells them."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from serve_app.accounting.bill import Bill
from serve_app.accounting.totals import Row, Sums
from serve_app.core.limits import Lease


class Page(Struct):
    """What one owner's books are still to be told."""

    rows: dict[Row, Sums] = {}
    leases: list[Lease] = []
    waiters: list[asyncio.Future[bool]] = []
    bills: list[Bill] = []

    def __len__(self) -> int:
        return len(self.rows) + len(self.leases) + len(self.bills)

    @property
    def requests(self) -> int:
        """How many are in it."""
        return sum(sums.requests for sums in self.rows.values()) + len(self.bills)

    def first(self, count: int) -> Page:
        """So many of each, taken out; who waits, waits for the rest."""
        taken = Page(
            {row: self.rows.pop(row) for row in list(self.rows)[:count]},
            self.leases[:count],
            bills=self.bills[:count],
        )
        del self.leases[:count], self.bills[:count]
        return taken

    def wake(self, arrived: bool) -> None:
        """Tell those who wait whether it arrived."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(arrived)
        self.waiters.clear()


class Batch(Struct, frozen=True):
    """A page on its way to Redis; the number makes a second arrival harmless."""

    number: int
    page: Page

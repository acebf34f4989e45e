"""What the books are still to be told of one owner, and the batch that tells them."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from serve_app.accounting.totals import Sums
from serve_app.core.limits import Lease

Row = tuple[str, str, str, str, str]
"""Tenant, day, user, model, key."""


class Page(Struct):
    """What one owner's books are still to be told."""

    rows: dict[Row, Sums] = {}
    leases: list[Lease] = []
    waiters: list[asyncio.Future[bool]] = []

    def __len__(self) -> int:
        return len(self.rows) + len(self.leases)

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

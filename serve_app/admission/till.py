"""The till: what requests need is reserved, all of it or nothing, many requests in one call."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
from collections.abc import Callable, Sequence

from msgspec import Struct

from serve_app.admission.sheet import Sheet, figures
from serve_app.core.clock import Clock
from serve_app.core.limits import Lease, Need, Scope, Used
from serve_app.store.client import Call, Store, StoreUnavailable
from serve_app.store.trips import TRIP, Trips

log = logging.getLogger(__name__)


class Refusal(Struct, frozen=True):
    """Which limit is in the way of a request."""

    scope: Scope
    limit: str
    """`requests`, `input`, `output`, `tokens`, `parallel`, or a period of a budget."""
    wait_s: float | None
    """Seconds after which trying again makes sense; None: it never will."""


class Outcome(Struct, frozen=True):
    """Of one reservation: a lease, or why there is none; and what each scope has used by now,
    those included that were asked for at the same moment."""

    lease: Lease | None
    used: tuple[Used, ...]
    refusal: Refusal | None = None


class _Asked(Struct):
    tenant: str
    scopes: tuple[Scope, ...]
    need: Need
    name: str


class Till:
    """Reserves for the requests of one process.

    Args:
        lease_s: a lease that nobody renews ends after so long.
        settle: told of each lease when it is over.
    """

    def __init__(
        self, store: Store, clock: Clock, lease_s: float, settle: Callable[[Lease], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._lease_ms = round(lease_s * 1000)
        self._settle = settle
        self._writer = secrets.token_hex(6)
        self._number = 0
        self._open: dict[str, tuple[Lease, float]] = {}
        self._trips: Trips[_Asked, Outcome] = Trips("reservations", self._carry, _give_back)
        self._renewing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to renew leases; call it in the running loop."""
        if self._renewing is None:
            loop, own = asyncio.get_running_loop(), contextvars.Context()
            self._renewing = loop.create_task(self._keep_alive(), name="leases", context=own)

    async def close(self) -> None:
        await self._trips.close()
        task, self._renewing = self._renewing, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    @property
    def open_leases(self) -> int:
        return len(self._open)

    async def reserve(self, tenant: str, scopes: tuple[Scope, ...], need: Need) -> Outcome:
        """Charge every scope with what a request needs, or none.

        Raises:
            StoreUnavailable: it is unknown whether it was charged; if it was, its lease ends.
        """
        return await self._trips.ask(_Asked(tenant, scopes, need, self._named()))

    async def look(self, scopes: Sequence[Scope]) -> list[Used]:
        """What scopes of one owner have used by now.

        Raises:
            StoreUnavailable
        """
        if not scopes:
            return []
        sheet = Sheet()
        sheet.places(scopes)
        return figures(await self._store.script("ledger", *sheet.look()))

    def lend(self, tenant: str, scopes: tuple[Scope, ...], need: Need) -> Lease:
        """A lease that Redis does not know of; what is used is charged when it is over."""
        return Lease(self._named(), tenant, scopes, need, self._over, reserved=False)

    def _named(self) -> str:
        self._number += 1
        return f"{self._writer}.{self._number:x}"

    def _over(self, lease: Lease) -> None:
        self._open.pop(lease.name, None)
        self._settle(lease)

    async def _carry(self, trip: list[_Asked]) -> list[Outcome | StoreUnavailable]:
        """A call for each tenant, whose books lie together: what its requests share, such as the
        limits of the tenant itself, is read and written once for all of them."""
        sheets: dict[str, list[Sheet]] = {}
        places: list[tuple[Sheet, int]] = []
        for one in trip:
            of_tenant = sheets.setdefault(one.tenant, [Sheet()])
            if not of_tenant[-1].takes(one.scopes):
                of_tenant.append(Sheet())
            place = of_tenant[-1].add(one.name, one.need, one.scopes)
            places.append((of_tenant[-1], place))
        every = [sheet for some in sheets.values() for sheet in some]
        calls = [sheet.reserve(self._lease_ms) for sheet in every]
        for sheet, reply in zip(every, await self._store.scripts("ledger", calls), strict=True):
            sheet.read(reply)
        return [
            self._outcome(one, sheet, place)
            for one, (sheet, place) in zip(trip, places, strict=True)
        ]

    def _outcome(self, one: _Asked, sheet: Sheet, place: int) -> Outcome | StoreUnavailable:
        if sheet.failure is not None:
            return sheet.failure
        (number, limit, wait_us), used = sheet.outcome(place)
        if number:
            wait_s = None if wait_us < 0 else wait_us / 1_000_000
            return Outcome(None, used, Refusal(one.scopes[number - 1], limit, wait_s))
        lease = Lease(one.name, one.tenant, one.scopes, one.need, self._over)
        if any(scope.allowance.has_holds for scope in one.scopes):
            self._open[lease.name] = (lease, self._clock.monotonic())
        return Outcome(lease, used)

    async def _keep_alive(self) -> None:
        """Renew the leases of requests that take long."""
        period_s = self._lease_ms / 3000
        while True:
            await asyncio.sleep(period_s)
            now = self._clock.monotonic()
            old = [lease for lease, since in self._open.values() if now - since > period_s / 2]
            try:
                await self._renew(old)
            except StoreUnavailable as error:
                log.warning("%d leases could not be renewed: %s", len(old), error.reason)
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("leases could not be renewed")

    async def _renew(self, leases: list[Lease]) -> None:
        holds: dict[str, list[str]] = {}
        for lease in leases:
            for scope in lease.scopes:
                if scope.allowance.has_holds:
                    holds.setdefault(scope.holds, []).append(lease.hold)
        calls: list[Call] = [
            ([key], ["renew", self._lease_ms, len(some), *some]) for key, some in holds.items()
        ]
        for start in range(0, len(calls), TRIP):
            await self._store.scripts("ledger", calls[start : start + TRIP])


def _give_back(outcome: Outcome) -> None:
    """Whoever asked has gone."""
    if outcome.lease is not None:
        outcome.lease.done()

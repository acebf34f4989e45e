"""Keeps the leases of this process's flights, all of them in one round trip, and tells what they
say to whom it concerns. A flight that ends within `RENEW_S` costs Redis nothing."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from serve_app.core.clock import Clock
from serve_app.flights.lease import LEASE_MS, LIST_MS, Lease, Step, flight_keys
from serve_app.store.client import Argument, Call, Store, StoreUnavailable

if TYPE_CHECKING:
    from serve_app.flights.flight import Flight

log = logging.getLogger(__name__)

TICK_S: Final = 0.05
"""How often what is new is told: about as often as a reader of a stream notices."""

GAP_S: Final = 0.005
AFTER_BUG_S: Final = 1.0

_AT_ONCE: Final = 256
"""Leases in one round trip: what Redis does in a few milliseconds."""


class Leases:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._leases: dict[str, Lease] = {}
        self._released: list[Call] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(
            self._run(), name="flight leases", context=contextvars.Context()
        )

    async def close(self, limit_s: float) -> None:
        """Give back what flights that are over still hold, for at most so many seconds."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait([task])
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._round()
                await self._round()  # for those of which somebody wanted to hear the end

    def hold(self, lease: Lease) -> None:
        """Renew it from now on, until its flight has landed."""
        lease.flight.lease = lease
        self._leases[lease.holder] = lease
        if len(self._leases) == 1:
            self._wake.set()

    def drop(self, lease: Lease) -> None:
        """No longer ours."""
        self._leases.pop(lease.holder, None)
        lease.flight.lease = None

    def release(self, tenant: str, fingerprint: str, holder: str) -> None:
        """Give back a lease that no flight came of; soon, and only if it is still held."""
        args: list[Argument] = [holder, "over", LEASE_MS, LIST_MS, 0]
        self._released.append((flight_keys(tenant, fingerprint, holder), args))
        self._wake.set()

    def wake(self) -> None:
        """A lease has something to do now."""
        self._wake.set()

    def leader(self, holder: str) -> Flight | None:
        """The flight of this process that leads by that name."""
        lease = self._leases.get(holder)
        return None if lease is None else lease.flight

    async def _run(self) -> None:
        while True:
            await self._wait()
            try:
                await self._round()
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("leases of flights could not be renewed")
                await asyncio.sleep(AFTER_BUG_S)
            await asyncio.sleep(GAP_S)

    async def _wait(self) -> None:
        if self._leases:
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._wake.wait()
        else:
            await self._wake.wait()
        self._wake.clear()

    async def _round(self) -> None:
        """Everything that is to be done now."""
        now = self._clock.monotonic()
        steps = [
            (lease, step)
            for lease in self._leases.values()
            if (step := lease.step(now)) is not None
        ]
        released, self._released = self._released, []
        for some in _portions(steps):
            await self._take(some)
        for calls in _portions(released):
            with suppress(StoreUnavailable):  # it goes by itself, too
                await self._store.scripts("flight_lead", calls)

    async def _take(self, steps: list[tuple[Lease, Step]]) -> None:
        calls = [lease.call(step) for lease, step in steps]
        try:
            replies = await self._store.scripts("flight_lead", calls)
        except StoreUnavailable:
            replies = [None] * len(calls)
        now = self._clock.monotonic()
        for (lease, step), reply in zip(steps, replies, strict=True):
            self._took(lease, step, reply, now)

    def _took(self, lease: Lease, step: Step, reply: Any, now: float) -> None:
        if not isinstance(reply, list):
            if lease.is_hopeless(now):
                self.drop(lease)
            return
        was_followed = lease.is_followed
        goes_on = lease.took(step, (reply[0], reply[1], reply[2]), now)
        flight = lease.flight
        if self._leases.get(lease.holder) is not lease:
            # Landed meanwhile: the renewal may have come after the fill that ended the lease.
            self.release(flight.tenant, flight.fingerprint, lease.holder)
            return
        if not goes_on:
            self.drop(lease)
        elif lease.is_followed and not was_followed:
            self._wake.set()
        if not (goes_on and lease.is_followed) or flight.buffer.is_long:
            flight.listeners_gone()


def _portions(items: list[Any]) -> list[list[Any]]:
    rest = iter(items)
    return list(iter(lambda: list(islice(rest, _AT_ONCE)), []))

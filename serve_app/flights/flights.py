"""All flights of a process, by request: who asks what is being answered already joins.

A request that nobody joins pays 30 to 40 us for it, and 5 us for each batch of a stream, of which
0.4 us a chunk are for the reader's own copy (measured on uvloop).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from itertools import count
from typing import Final

from serve_app.core.clock import Clock
from serve_app.flights.base import Launch, Recall, never_kept
from serve_app.flights.flight import Flight
from serve_app.flights.following import Following
from serve_app.flights.hearing import Hearing
from serve_app.flights.lease import Lease
from serve_app.flights.leases import Leases
from serve_app.flights.seat import Seat
from serve_app.store.client import Store
from serve_app.store.keys import escape

LANDING_S: Final = 2.0
"""How long a flight that came to its end can be joined while its answer goes into the cache: less
than its lease lives."""

ECHO_S: Final = 0.5
"""The same for one that another replica led, which fills the cache: less than a purge may take."""


class Flights:
    """Joins what is equal.

    Args:
        store: what replicas share; None: there is one replica.
        replica: names this process among all of them.
        max_bytes: of one answer, held for those who join later; see `Buffer`.
    """

    def __init__(self, store: Store | None, replica: str, clock: Clock, *, max_bytes: int) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        # Random once: for each flight it would be a call of the system, 8 % of a cache hit.
        mark = f"{escape(replica)}.{secrets.token_hex(8)}"
        self._holders = (f"{mark}.{number}" for number in count())
        self._leases = None if store is None else Leases(store, clock)
        self._hearing = None if store is None else Hearing(store)
        self._known: dict[tuple[str, str], Flight] = {}
        self._aloft: set[Flight] = set()
        self._landing: dict[Flight, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Begin to talk to other replicas; call it in the running loop."""
        if self._leases is not None and self._hearing is not None:
            self._leases.start()
            self._hearing.start()

    async def close(self, limit_s: float) -> None:
        """End what still flies, and give back its leases, within so many seconds each."""
        aloft = list(self._aloft)
        for flight in aloft:
            flight.abandon()
        ends: list[Awaitable[None]] = [flight.stopped(limit_s) for flight in aloft]
        await asyncio.gather(*ends)
        for flight in list(self._landing):
            self._gone(flight, kept=False)
        if self._leases is not None and self._hearing is not None:
            await self._hearing.close()
            await self._leases.close(limit_s)

    def new_holder(self) -> str:
        """A name for a flight that is going to lead; no two are equal."""
        return next(self._holders)

    def find(self, tenant: str, fingerprint: str) -> Flight | None:
        """A flight of this process that can be joined, or that landed just now."""
        flight = self._known.get((tenant, fingerprint))
        return flight if flight is not None and flight.is_joinable else None

    def lead(self, tenant: str, fingerprint: str, launch: Launch, *, holder: str) -> Seat:
        """Make the call, for all who ask the same.

        Args:
            holder: who holds the lease in Redis; empty: this process is on its own.
        """
        found = self.find(tenant, fingerprint)
        if found is not None and found.launched:
            self.release(tenant, fingerprint, holder)
            return found.join()
        # One that follows finds out that its leader is here.
        flight = self._new(tenant, fingerprint)
        flight.launched = True
        if holder and self._leases is not None:
            self._leases.hold(Lease(flight, holder, holder, self._clock.monotonic()))
        return flight.start(lambda flight: flight.launch(launch, []))

    def follow(
        self, tenant: str, fingerprint: str, launch: Launch, *, recall: Recall = never_kept
    ) -> Seat:
        """Hear the answer from the replica that leads; make the call if that one dies.

        Args:
            recall: asks the cache, where the leader's answer is as soon as its lease is gone.
        """
        found = self.find(tenant, fingerprint)
        if found is not None:
            return found.join()
        if self._leases is None or self._hearing is None:
            return self.lead(tenant, fingerprint, launch, holder="")
        course = Following(
            self._hearing, self._leases, self._clock, launch, recall, self.new_holder()
        )
        return self._new(tenant, fingerprint).start(course)

    def landed(self, tenant: str, fingerprint: str, kept: bool) -> None:
        """An answer is in the cache now, or will never be: its flight is not needed any more."""
        flight = self._known.get((tenant, fingerprint))
        if flight is not None and flight.is_over:
            self._gone(flight, kept)

    def release(self, tenant: str, fingerprint: str, holder: str) -> None:
        """Give back a lease that no flight comes of. Never waits."""
        if holder and self._leases is not None:
            self._leases.release(tenant, fingerprint, holder)

    def _new(self, tenant: str, fingerprint: str) -> Flight:
        flight = Flight(tenant, fingerprint, self._max_bytes, self._over)
        self._known[tenant, fingerprint] = flight
        self._aloft.add(flight)
        return flight

    def _over(self, flight: Flight) -> None:
        self._aloft.discard(flight)
        if flight.outcome is None or not flight.outcome.repeatable:
            self._gone(flight, kept=False)
            return
        limit_s = LANDING_S if flight.launched else ECHO_S
        loop = asyncio.get_running_loop()
        self._landing[flight] = loop.call_later(limit_s, self._gone, flight, False)

    def _gone(self, flight: Flight, kept: bool) -> None:
        """Nobody joins it any more."""
        key = (flight.tenant, flight.fingerprint)
        if self._known.get(key) is flight:
            del self._known[key]
        if (timer := self._landing.pop(flight, None)) is not None:
            timer.cancel()
        if (lease := flight.lease) is not None and self._leases is not None:
            lease.landed = kept
            if kept and not lease.is_told:
                self._leases.drop(lease)  # the fill ended it
            else:
                self._leases.wake()

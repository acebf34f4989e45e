"""The course of a flight that another replica leads: it hears what that one says, and goes on by
itself where that one dies.

Every wait has an end: a leader that lives renews its lease, whose end a follower sees; a Redis
that is away is waited for a second.
"""

from __future__ import annotations

import asyncio
from typing import Final

from serve_app.core.clock import Clock
from serve_app.core.errors import UpstreamFailed
from serve_app.flights import said
from serve_app.flights.base import Launch, Recall
from serve_app.flights.flight import Flight
from serve_app.flights.hearing import ELEMENTS, Heard, Hearing
from serve_app.flights.lease import Lease, flight_keys
from serve_app.flights.leases import Leases
from serve_app.store.limit import TimeLimit

AWAY_S: Final = 1.0
"""So long a follower waits for a Redis that does not answer, before it makes its own call."""

PACE_S: Final = 0.05
YOUNG_PACE_S: Final = 0.02
YOUNG_S: Final = 0.5
"""Many answers come within this time; their followers should not wait much longer."""

RETRY_S: Final = 0.05


def origin_of(holder: str) -> str:
    """First holder of the flight that a holder leads."""
    return holder.partition("+")[0]


class Following:
    """A `Course`.

    Args:
        launch: makes a call of one's own.
        recall: asks the cache.
        holder: the name by which this flight leads, should it have to.
    """

    def __init__(
        self,
        hearing: Hearing,
        leases: Leases,
        clock: Clock,
        launch: Launch,
        recall: Recall,
        holder: str,
    ) -> None:
        self._hearing = hearing
        self._leases = leases
        self._clock = clock
        self._launch = launch
        self._recall = recall
        self._holder = holder
        self._began = clock.monotonic()
        self._origin = ""
        """Of the flight that is followed; empty: not known yet."""
        self._known = 0
        """Elements of it that were heard."""
        self._is_recalled = False
        """The cache was asked since the lease was last seen, and has nothing."""
        self._may_hold = ""
        """The lease that was perhaps taken: the answer to the question did not come (yet)."""

    async def __call__(self, flight: Flight) -> None:
        try:
            while not await self._went_on(flight):
                pass
        finally:
            self._release(flight)

    async def _went_on(self, flight: Flight) -> bool:
        """Hear once and act on it; True when the flight is over."""
        heard = await self._hear(flight)
        if heard is None:
            await self._alone(flight)
            return True
        if await self._listened(flight, heard):
            return True
        if heard.holder:
            return await self._led_by(flight, heard)
        return await self._led_by_nobody(flight, heard)

    # ------------------------------------------------------------------- hearing

    async def _hear(self, flight: Flight) -> Heard | None:
        """The news; None: Redis was away for too long."""
        keys = flight_keys(flight.tenant, flight.fingerprint, self._origin)
        self._may_hold = self._taking if self._known or self._is_recalled else ""
        try:
            async with TimeLimit(AWAY_S):
                while True:
                    heard = await self._hearing.hear(keys, self._known, self._may_hold)
                    if heard is not None:
                        break
                    await asyncio.sleep(RETRY_S)
        except TimeoutError:
            self._release(flight)
            return None
        if heard.holder != self._may_hold:
            self._may_hold = ""
        return heard

    @property
    def _taking(self) -> str:
        return f"{self._origin}+{self._holder}" if self._origin else self._holder

    def _release(self, flight: Flight) -> None:
        if self._may_hold:
            self._leases.release(flight.tenant, flight.fingerprint, self._may_hold)
            self._may_hold = ""

    async def _listened(self, flight: Flight, heard: Heard) -> bool:
        for element in heard.elements:
            news = said.read(element)
            if isinstance(news, said.Said):
                self._known += 1
                await flight.add(news.batch, news.heading)
            elif isinstance(news, said.TooLong):
                await self._alone(flight)
                return True
            elif news.failure is not None:
                raise news.failure.error()
            else:
                assert news.outcome is not None, "an end has an outcome or a failure"
                flight.finish(news.outcome)
                return True
        return False

    # ------------------------------------------------------------------- who leads

    async def _led_by(self, flight: Flight, heard: Heard) -> bool:
        self._is_recalled = False
        if heard.holder == self._taking:
            await self._take_over(flight)
            return True
        leader = self._leases.leader(heard.holder)
        if leader is not None and leader.is_joinable and not self._known:
            await flight.carry(leader.join())
            return True
        origin = origin_of(heard.holder)
        if origin != self._origin:
            if self._origin and flight.is_read:
                await self._alone(flight)
                return True
            self._begin_anew(flight, origin)
        elif heard.is_marked and not heard.elements:  # the mark was not where it should be
            await self._alone(flight)
            return True
        elif len(heard.elements) < ELEMENTS:
            await asyncio.sleep(self._pace_s())
        return False

    async def _led_by_nobody(self, flight: Flight, heard: Heard) -> bool:
        if heard.length < self._known or (heard.is_marked and not heard.elements):
            await self._alone(flight)  # Redis lost what was said
            return True
        if self._known or self._is_recalled:
            return False
        kept = await self._recall()
        if kept is None:
            self._is_recalled = True
            return False
        await flight.carry(kept)
        return True

    def _begin_anew(self, flight: Flight, origin: str) -> None:
        self._origin = origin
        if self._known:
            self._known = 0
            flight.restart()

    def _pace_s(self) -> float:
        is_young = self._clock.monotonic() - self._began < YOUNG_S
        return YOUNG_PACE_S if is_young else PACE_S

    # ------------------------------------------------------------------- our own call

    async def _take_over(self, flight: Flight) -> None:
        """We lead now: go on with what all followers have, and tell them."""
        holder, self._may_hold = self._taking, ""
        lease = Lease(
            flight,
            holder,
            origin_of(holder),
            self._clock.monotonic(),
            known=self._known,
            is_followed=True,
        )
        self._leases.hold(lease)
        await self._go_on(flight)

    async def _alone(self, flight: Flight) -> None:
        """Go on for the seats of this flight only; anew if they have nothing yet."""
        if not flight.is_read:
            flight.restart()
        await self._go_on(flight)

    async def _go_on(self, flight: Flight) -> None:
        if flight.buffer.first:
            raise UpstreamFailed(
                "the answer broke off and is too long to go on with", code="stream_interrupted"
            )
        await flight.launch(self._launch, flight.buffer.since(0))

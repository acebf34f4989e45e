"""One request's place in a flight."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from serve_app.core.types import Chunk
from serve_app.flights.base import Heading, Outcome
from serve_app.flights.copies import copied

if TYPE_CHECKING:
    from serve_app.flights.flight import Flight


class Seat:
    """Reads a flight from its beginning, in chunks of its own. Close it, whatever happens.

    One reader at a time. A seat is a `Call` too.
    """

    __slots__ = ("_flight", "_is_closed", "_is_first", "_wakes", "fills", "next")

    def __init__(self, flight: Flight, *, is_first: bool) -> None:
        self._flight = flight
        self._is_first = is_first
        self._is_closed = False
        self._wakes: asyncio.Future[None] | None = None
        self.next = 0
        """Number of the batch that is read next."""
        self.fills = False
        """After the end: True for the one seat that hands the answer to the cache, the first to
        come to the end where the call was made; `Flights.landed` says what became of it."""

    @property
    def leads(self) -> bool:
        """True if this request's own launch made the call."""
        return self._is_first and self._flight.launched

    @property
    def heading(self) -> Heading:
        return self._flight.heading

    @property
    def outcome(self) -> Outcome:
        outcome = self._flight.outcome
        assert outcome is not None, "an outcome is known after the end"
        return outcome

    @property
    def holder(self) -> str:
        """After the end: whose lease the cache's fill ends; empty: it is not the fill's."""
        return self._flight.holder

    async def begun(self) -> None:
        """Wait until the answer begins.

        Raises:
            GatewayError: it failed before that.
        """
        flight = self._flight
        while not flight.buffer.end and not flight.is_over:
            await self._news()
        if flight.failure is not None and not flight.buffer.end:
            raise flight.failure.error()

    def __aiter__(self) -> Seat:
        return self

    async def __anext__(self) -> list[Chunk]:
        """The next batch, which the reader may change.

        Raises:
            GatewayError: the answer broke off.
        """
        flight = self._flight
        while self.next >= flight.buffer.end:
            if flight.is_over or self._is_closed:
                self._came_to_the_end()
                raise StopAsyncIteration
            await self._news()
        batch = copied(flight.buffer[self.next])
        self.next += 1
        if flight.buffer.is_long:
            flight.make_room()
        return batch

    async def aclose(self) -> None:
        """Leave. The last to leave ends the call, unless other replicas follow it."""
        if not self._is_closed:
            self._is_closed = True
            await self._flight.leave(self)

    def wake(self) -> None:
        if self._wakes is not None and not self._wakes.done():
            self._wakes.set_result(None)

    async def _news(self) -> None:
        self._wakes = asyncio.get_running_loop().create_future()
        try:
            await self._wakes
        finally:
            self._wakes = None

    def _came_to_the_end(self) -> None:
        flight = self._flight
        if self._is_closed:
            return
        if flight.failure is not None:
            raise flight.failure.error()
        if flight.launched and not flight.is_filled:
            self.fills = flight.is_filled = True

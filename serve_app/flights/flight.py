"""One answer on its way to all who asked the same."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from serve_app.core.errors import GatewayError, Overloaded
from serve_app.core.types import Chunk
from serve_app.flights.base import Call, Heading, Launch, Outcome
from serve_app.flights.buffer import Buffer
from serve_app.flights.failure import Failure
from serve_app.flights.seat import Seat

if TYPE_CHECKING:
    from serve_app.flights.lease import Lease

log = logging.getLogger(__name__)

CLOSE_S: Final = 5.0
"""How long a call may take to let go; a backend's own limit is shorter."""

Course = Callable[["Flight"], Awaitable[None]]
"""What feeds a flight, to its end: calls `launch` or `carry`, or `add` and `finish`; or raises."""


class Flight:
    """A course feeds a buffer, seats read it. Nobody's leaving stops the others.

    Args:
        max_bytes: what the buffer keeps; see `Buffer`. A flight that said more can no longer be
            joined, and waits for its slowest seat.
        on_over: told once, when the flight is over; must not wait.
    """

    __slots__ = (
        "_call", "_heading", "_on_over", "_room", "_seats", "_task", "buffer", "failure",
        "fingerprint", "is_filled", "is_left", "is_over", "launched", "lease", "outcome", "tenant",
    )  # fmt: skip

    def __init__(
        self, tenant: str, fingerprint: str, max_bytes: int, on_over: Callable[[Flight], None]
    ) -> None:
        self.tenant = tenant
        self.fingerprint = fingerprint
        self.buffer = Buffer(max_bytes)
        self.lease: Lease | None = None
        """What ties it to flights of other replicas; None: nothing (any more)."""
        self.outcome: Outcome | None = None
        self.failure: Failure | None = None
        self.is_over = False
        self.is_left = False
        """Over because nobody wanted the rest."""
        self.is_filled = False
        """A seat has taken it on itself to hand the answer to the cache."""
        self.launched = False
        """The launch of its first seat made the call."""
        self._on_over = on_over
        self._seats: set[Seat] = set()
        self._heading = Heading()
        self._call: Call | None = None
        self._room: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, course: Course) -> Seat:
        """Take off. The task has a context of its own: Serve cancels what it finds in that of a
        request whose caller left."""
        seat = Seat(self, is_first=True)
        self._seats.add(seat)
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(
            self._fly(course), name="flight", context=contextvars.Context()
        )
        # A task that failed holds its frames, and those this flight.
        self._task.add_done_callback(self._stopped)
        return seat

    def _stopped(self, _: asyncio.Task[None]) -> None:
        self._task = None

    # ----------------------------------------------------------------- its seats

    @property
    def is_joinable(self) -> bool:
        return self.failure is None and not self.buffer.is_long

    def join(self) -> Seat:
        """One more seat; only while `is_joinable`."""
        seat = Seat(self, is_first=False)
        self._seats.add(seat)
        return seat

    async def leave(self, seat: Seat) -> None:
        """See `Seat.aclose`: waits for the call to close, within bounds."""
        self._seats.discard(seat)
        seat.wake()
        if self._seats or self.is_over:
            self.make_room()
        elif not self._is_followed:
            self.abandon()
            await self.stopped()

    @property
    def heading(self) -> Heading:
        """Who answers, as far as known."""
        return self._heading if self._call is None else self._call.heading

    @property
    def holder(self) -> str:
        """See `Seat.holder`."""
        lease = self.lease
        return "" if lease is None or lease.is_told else lease.holder

    @property
    def is_read(self) -> bool:
        """True if a caller may have got something of it."""
        return any(seat.next for seat in self._seats)

    def make_room(self) -> None:
        """Forget what all have read, if there was more than the buffer keeps."""
        buffer = self.buffer
        if not buffer.is_long:
            return
        if any(seat.next <= buffer.first for seat in self._seats):
            return
        buffer.forget_before(min((seat.next for seat in self._seats), default=buffer.end))
        if self._room is not None and not self._room.done() and not buffer.is_full:
            self._room.set_result(None)

    # ---------------------------------------------------------------- its course

    async def launch(self, launch: Launch, said: list[list[Chunk]]) -> None:
        """Make the call that the first seat brought, and bring it to its end."""
        self.launched = True
        await self.carry(await launch(said))

    async def carry(self, call: Call) -> None:
        """Bring a call to its end, and close it."""
        self._call = call
        try:
            async for batch in call:
                await self.add(batch)
            self._heading = call.heading
            self.finish(call.outcome)
        finally:
            self._heading, self._call = call.heading, None
            await _close(call)

    async def add(self, batch: list[Chunk], heading: Heading | None = None) -> None:
        """One more batch; waits while the slowest seat is too far behind."""
        if heading is not None:
            self._heading = heading
        if batch:
            self.buffer.add(batch)
            self._wake()
        while self.buffer.is_full:
            self.make_room()
            if self.buffer.is_full:
                await self._wait_for_room()

    def finish(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._end()

    def restart(self) -> None:
        """As if nothing had been said yet; only while nobody has read it."""
        self.buffer.clear()

    # --------------------------------------------------------------- its end

    def listeners_gone(self) -> None:
        """No other replica follows any more."""
        if not self._seats and not self.is_over:
            self.abandon()

    def abandon(self) -> None:
        """Nobody wants the rest."""
        self.is_left = not self.is_over
        self._end(Failure.of(Overloaded("the answer was given up", retry_after_s=1)))
        if self._task is not None:
            self._task.cancel()

    async def stopped(self, limit_s: float = CLOSE_S + 1) -> None:
        """Wait until nothing of it runs any more."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=limit_s)

    @property
    def _is_followed(self) -> bool:
        return self.lease is not None and self.lease.is_followed and not self.buffer.is_long

    async def _fly(self, course: Course) -> None:
        try:
            await course(self)
        except GatewayError as error:
            self._end(Failure.of(error))
        except Exception:
            log.exception("a flight failed")
            self._end(Failure.of(GatewayError("the answer failed for an internal reason")))
        finally:
            if not self.is_over:
                self._end(Failure.of(Overloaded("the answer was cut off", retry_after_s=1)))

    def _end(self, failure: Failure | None = None) -> None:
        """Over; the first to say so is right."""
        if self.is_over:
            return
        self.is_over = True
        self.failure = failure
        self._wake()
        self._on_over(self)

    def _wake(self) -> None:
        for seat in self._seats:
            seat.wake()

    async def _wait_for_room(self) -> None:
        self._room = asyncio.get_running_loop().create_future()
        try:
            await self._room
        finally:
            self._room = None


async def _close(call: Call) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await call.aclose()
    except TimeoutError:
        log.error("a call was not let go of in %.0f s", CLOSE_S)

"""However readers come, read and leave: each hears everything once, in order, and the call ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from flights.flight_calls import PlayedCall, Upstream, read_next
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.core.clock import SystemClock
from serve_app.core.errors import GatewayError, UpstreamFailed
from serve_app.flights.flights import Flights
from serve_app.flights.seat import Seat

WHO = ("t", "f")

Move = tuple[str, int]
MOVES = st.tuples(
    st.sampled_from(["say", "join", "read", "leave", "cancel", "turn"]), st.integers(0)
)


class Reader:
    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.heard: list[str] = []

    async def read(self, *, cancel: bool = False) -> None:
        """One word, if there is one; a cancelled wait loses nothing."""
        reading = asyncio.create_task(read_next(self.seat))
        for _ in range(0 if cancel else 5):
            await asyncio.sleep(0)
        reading.cancel()
        [result] = await asyncio.gather(reading, return_exceptions=True)
        if isinstance(result, str):
            self.heard.append(result)

    async def read_to_the_end(self) -> bool:
        """False if the answer broke off."""
        try:
            while True:
                self.heard.append(await read_next(self.seat))
        except StopAsyncIteration:
            return True
        except GatewayError:
            return False
        finally:
            await self.seat.aclose()


async def play(moves: Sequence[Move], max_bytes: int, *, breaks: bool) -> None:
    flights, upstream = Flights(None, "r", SystemClock(), max_bytes=max_bytes), Upstream()
    readers = [Reader(flights.lead(*WHO, upstream.launch, holder=""))]
    call = await upstream.launched()
    said: list[str] = []
    for move, number in moves:
        if move == "turn":
            await asyncio.sleep(0)
        elif move == "say":
            said.append(str(len(said)))
            call.say(said[-1])
        elif move == "join":
            if (flight := flights.find(*WHO)) is not None:
                readers.append(Reader(flight.join()))
        elif readers:
            await one(move, readers, number % len(readers))
    call.end(UpstreamFailed("x") if breaks else None)
    await finish(readers, call, said, breaks=breaks)


async def one(move: str, readers: list[Reader], at: int) -> None:
    if move == "leave":
        await readers.pop(at).seat.aclose()
    else:
        await readers[at].read(cancel=move == "cancel")


async def finish(readers: list[Reader], call: PlayedCall, said: list[str], *, breaks: bool) -> None:
    async with asyncio.timeout(10):
        ends = await asyncio.gather(*[reader.read_to_the_end() for reader in readers])
    for reader, is_whole in zip(readers, ends, strict=True):
        assert reader.heard == said
        assert is_whole != breaks
    for _ in range(5):
        await asyncio.sleep(0)
    assert call.is_closed
    assert sum(reader.seat.fills for reader in readers) == (1 if readers and not breaks else 0)


@settings(max_examples=150, deadline=None)
@given(st.lists(MOVES, max_size=40), st.sampled_from([0, 150, 100_000]), st.booleans())
def test_every_reader_hears_everything_once(
    moves: list[Move], max_bytes: int, breaks: bool
) -> None:
    asyncio.run(play(moves, max_bytes, breaks=breaks))

"""Calls whose answers a test plays, and readers that collect them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from serve_app.core.errors import GatewayError
from serve_app.core.types import Chunk, ChunkChoice, Delta
from serve_app.flights.base import Heading, Outcome
from serve_app.flights.flight import Flight
from serve_app.flights.seat import Seat


def chunk(text: str) -> Chunk:
    raw = b'{"choices":[{"index":0,"delta":{"content":"%b"}}]}' % text.encode()
    return Chunk(choices=[ChunkChoice(delta=Delta(content=text))], raw=raw)


def texts(batch: list[Chunk]) -> list[str]:
    return [choice.delta.content or "" for chunk in batch for choice in chunk.choices]


class PlayedCall:
    """A call that says what it is given, when it is given it."""

    def __init__(self, said: list[list[Chunk]], *, repeatable: bool = True) -> None:
        self.said = said
        """What callers had already when it was made."""
        self.heading = Heading("hosted", "m")
        self.repeatable = repeatable
        self.is_closed = False
        self.pulled = 0
        self._script: asyncio.Queue[list[Chunk] | GatewayError | None] = asyncio.Queue()

    @property
    def outcome(self) -> Outcome:
        return Outcome("hosted", "m", completion_tokens=self.pulled, repeatable=self.repeatable)

    def say(self, *words: str) -> None:
        """One batch of each word."""
        for word in words:
            self._script.put_nowait([chunk(word)])

    def end(self, error: GatewayError | None = None) -> None:
        self._script.put_nowait(error)

    def __aiter__(self) -> PlayedCall:
        return self

    async def __anext__(self) -> list[Chunk]:
        step = await self._script.get()
        if step is None:
            raise StopAsyncIteration
        if isinstance(step, GatewayError):
            try:
                raise step
            finally:
                del step  # or the error would hold itself
        self.pulled += 1
        return step

    async def aclose(self) -> None:
        self.is_closed = True


class Upstream:
    """Launches calls and keeps them: `calls[-1]` is the newest."""

    def __init__(self, *, repeatable: bool = True) -> None:
        self.calls: list[PlayedCall] = []
        self.refusal: GatewayError | None = None
        self._repeatable = repeatable

    async def launch(self, said: list[list[Chunk]]) -> PlayedCall:
        call = PlayedCall([list(batch) for batch in said], repeatable=self._repeatable)
        self.calls.append(call)
        if self.refusal is not None:
            raise self.refusal
        return call

    async def launched(self, count: int = 1) -> PlayedCall:
        """The newest call, once there are so many."""
        await until(lambda: len(self.calls) >= count)
        return self.calls[-1]

    def answer(self, *words: str) -> None:
        """Say it and come to the end."""
        self.calls[-1].say(*words)
        self.calls[-1].end()


async def read_all(seat: Seat) -> list[str]:
    """The words of an answer to its end; then the seat is given up."""
    try:
        return [text async for batch in seat for text in texts(batch)]
    finally:
        await seat.aclose()


async def read_next(seat: Seat) -> str:
    [text] = texts(await anext(seat))
    return text


def joined(flight: Flight | None) -> Seat:
    assert flight is not None
    return flight.join()


async def until(holds: Callable[[], bool], pause_s: float = 0.005) -> None:
    """Wait for it; a pause of 0 looks at every turn of the loop."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(pause_s)

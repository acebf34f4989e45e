"""A replica of the gateway as far as it shares answers: its flights, its cache, one Redis.

Run as a program it is a process of its own: `flight_replica.py REDIS_URL NAME UPSTREAM_PORT`. It
asks as often as lines on its standard input say, and tells on its standard output what it hears.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from flights.flight_calls import chunk, texts

from serve_app.cache.stage import CacheStage
from serve_app.config.policy import CachePolicy
from serve_app.config.structure import CacheStructure, RedisSettings
from serve_app.core.clock import Clock, SystemClock
from serve_app.core.errors import GatewayError, UpstreamFailed
from serve_app.core.kept import Entry, Fill, Lookup
from serve_app.core.types import Chunk
from serve_app.flights.base import Call, Heading, Launch, Outcome
from serve_app.flights.flights import Flights
from serve_app.flights.seat import Seat
from serve_app.store.client import Store

TENANT, FINGERPRINT = "acme", "f" * 64


class StoredCall:
    """An answer from the cache."""

    heading = Heading("hosted", "m")
    outcome = Outcome("hosted", "m")

    def __init__(self, entry: Entry) -> None:
        self._batches = [
            [Chunk(raw=raw, choices=msgspec.json.decode(raw, type=Chunk).choices)]
            for raw in msgspec.msgpack.decode(entry.payload, type=list[bytes])
        ]

    def __aiter__(self) -> StoredCall:
        return self

    async def __anext__(self) -> list[Chunk]:
        if not self._batches:
            raise StopAsyncIteration
        return self._batches.pop(0)

    async def aclose(self) -> None:
        pass


class Replica:
    """Asks as the gateway does: a flight of this process, the cache, a flight of another one."""

    def __init__(
        self, name: str, url: str, *, max_bytes: int = 100_000, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self.store = Store(RedisSettings(timeout_ms=5000), SystemClock(), url)
        self.flights = Flights(self.store, name, clock, max_bytes=max_bytes)
        self.cache = CacheStage(
            CachePolicy(), CacheStructure(), self.store, SystemClock(), random.Random(1)
        )

    def start(self) -> None:
        self.flights.start()
        self.cache.start()

    async def close(self) -> None:
        await self.flights.close(1.0)
        await self.cache.close()
        await self.store.close()

    async def seat(self, launch: Launch) -> Call:
        """Where the answer comes from."""
        flights = self.flights
        if (flight := flights.find(TENANT, FINGERPRINT)) is not None:
            return flight.join()
        holder = flights.new_holder()
        [found] = await self.cache.lookup([Lookup(FINGERPRINT, TENANT, holder=holder)])
        if found.entry is not None:
            return StoredCall(found.entry)
        if found.leads:
            return flights.lead(TENANT, FINGERPRINT, launch, holder=holder)
        return flights.follow(TENANT, FINGERPRINT, launch, recall=self.recall)

    async def recall(self) -> Call | None:
        [found] = await self.cache.lookup([Lookup(FINGERPRINT, TENANT)])
        return None if found.entry is None else StoredCall(found.entry)

    async def words(self, call: Call) -> AsyncIterator[str]:
        """The answer's words; at its end it goes into the cache."""
        kept: list[bytes] = []
        try:
            async for batch in call:
                kept += [chunk.raw for chunk in batch]
                for text in texts(batch):
                    yield text
            if isinstance(call, Seat) and call.fills:
                await self._fill(call, kept)
        finally:
            await call.aclose()

    async def ask(self, launch: Launch) -> list[str]:
        return [word async for word in self.words(await self.seat(launch))]

    async def _fill(self, seat: Seat, payloads: list[bytes]) -> None:
        kept = False
        if seat.outcome.repeatable:
            fill = Fill(FINGERPRINT, _entry(payloads), TENANT, holder=seat.holder)
            [kept] = await self.cache.fill([fill])
        self.flights.landed(TENANT, FINGERPRINT, kept)


def _entry(payloads: list[bytes]) -> Entry:
    return Entry(
        streamed=True,
        payload=msgspec.msgpack.encode(payloads),
        backend="hosted",
        model="m",
        prompt_tokens=1,
        completion_tokens=len(payloads),
        cost_micro_usd=1,
        stored_at=SystemClock().wall(),
        expires_at=SystemClock().wall() + 60,
    )


@asynccontextmanager
async def replicas(
    url: str, count: int, *, max_bytes: int = 100_000
) -> AsyncIterator[list[Replica]]:
    """Several in one process."""
    made = [Replica(f"replica-{at}", url, max_bytes=max_bytes) for at in range(count)]
    try:
        for replica in made:
            replica.start()
        yield made
    finally:
        for replica in made:
            await replica.close()


# ------------------------------------------------------------- as a process of its own


class SocketCall:
    """A call of the test's upstream: a word a line, a dot at the end."""

    heading = Heading("hosted", "m")
    outcome = Outcome("hosted", "m")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def launch(cls, name: str, port: int, said: list[list[Chunk]]) -> SocketCall:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        known = [word for batch in said for word in texts(batch)]
        writer.write(json.dumps({"name": name, "said": known}).encode() + b"\n")
        return cls(reader, writer)

    def __aiter__(self) -> SocketCall:
        return self

    async def __anext__(self) -> list[Chunk]:
        line = (await self._reader.readline()).decode().strip()
        if not line:
            raise UpstreamFailed("the upstream hung up")
        if line == ".":
            raise StopAsyncIteration
        return [chunk(line)]

    async def aclose(self) -> None:
        self._writer.close()


def _tell(**event: object) -> None:
    print(json.dumps(event), flush=True)


async def _ask(replica: Replica, number: int, launch: Launch) -> None:
    try:
        async for word in replica.words(await replica.seat(launch)):
            _tell(event="word", ask=number, word=word)
    except GatewayError as error:
        _tell(event="failed", ask=number, why=str(error))
    else:
        _tell(event="end", ask=number)


async def main(url: str, name: str, port: int) -> None:
    replica = Replica(name, url)
    replica.start()
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    _tell(event="ready")
    asking: list[asyncio.Task[None]] = []
    while order := await orders.readline():
        launch = partial(SocketCall.launch, name, port)
        for _ in range(int(order)):
            asking.append(asyncio.create_task(_ask(replica, len(asking), launch)))
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await replica.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

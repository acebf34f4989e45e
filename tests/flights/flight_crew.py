"""Replicas as processes, and the one upstream that they call."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from flights.flight_calls import until

WORDS = [f"w{number}" for number in range(12)]

_PROGRAM = Path(__file__).with_name("flight_replica.py")


class CountedUpstream:
    """Says `WORDS`, or what of them the caller does not have yet; counts who calls.

    It stops before the word number `pause_before` until `go` is set.
    """

    def __init__(self, pause_before: int) -> None:
        self.calls: list[str] = []
        """Names of the replicas that called."""
        self.said: list[int] = []
        """By call, how many words the caller had."""
        self.go = asyncio.Event()
        self.port = 0
        self._pause_before = pause_before
        self._talks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[CountedUpstream]:
        server = await asyncio.start_server(self._met, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for talk in self._talks:
                talk.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            with suppress(ConnectionError):
                await self._talk(reader, writer)
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())
        self.calls.append(asked["name"])
        self.said.append(len(asked["said"]))
        assert asked["said"] == WORDS[: len(asked["said"])]
        for number in range(len(asked["said"]), len(WORDS)):
            if number == self._pause_before:
                await self.go.wait()
            writer.write(WORDS[number].encode() + b"\n")
            await writer.drain()
        writer.write(b".\n")
        await writer.drain()


class Crewman:
    """One replica process: what its requests have heard."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.words: dict[int, list[str]] = defaultdict(list)
        """By request."""
        self.ended: set[int] = set()
        self.failed: list[str] = []
        self.is_ready = False
        self._listening = asyncio.create_task(self._listen())

    def ask(self, times: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"%d\n" % times)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def close(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._listening

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self.is_ready = True
            elif event["event"] == "word":
                self.words[event["ask"]].append(event["word"])
            elif event["event"] == "end":
                self.ended.add(event["ask"])
            else:
                self.failed.append(event["why"])


@asynccontextmanager
async def crew(url: str, upstream: CountedUpstream, count: int = 3) -> AsyncIterator[list[Crewman]]:
    men: list[Crewman] = []
    try:
        for at in range(count):
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(_PROGRAM), url, f"replica-{at}", str(upstream.port),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            men.append(Crewman(f"replica-{at}", process))
        await until(lambda: all(man.is_ready for man in men))
        yield men
    finally:
        for man in men:
            await man.close()

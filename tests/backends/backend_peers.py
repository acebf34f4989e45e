"""Backends in memory, for what must be exact to the character or to the moment.

A peer answers each call with its next act, the last one again and again. An act is a function
from the call to its batches.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any

import msgspec
from backend_calls import chat

from serve_app.backends.base import AttemptFailed, Call, Health
from serve_app.backends.execute import Answer, Executor
from serve_app.backends.patience import timed_out
from serve_app.config.policy import ExecutionPolicy
from serve_app.core.clock import FakeClock
from serve_app.core.plan import Candidate, Plan
from serve_app.core.trail import Trail
from serve_app.core.types import Chunk
from serve_app.core.vital import Headroom
from serve_app.vitals.book import Vitals

Act = Callable[[Call], AsyncGenerator[list[Chunk], None]]

_decode = msgspec.json.Decoder(Chunk).decode


def chunk(delta: dict[str, Any], finish: str | None = None, id_: str = "old") -> Chunk:
    """A chunk as a backend makes it of an event."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    value = {"id": id_, "created": len(id_), "model": "m", "choices": [choice], "other": 1}
    raw = msgspec.json.encode(value)
    made = _decode(raw)
    made.raw = raw
    return made


def usage(prompt: int, completion: int, id_: str = "old") -> Chunk:
    counts = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    raw = msgspec.json.encode({"id": id_, "choices": [], "usage": counts})
    made = _decode(raw)
    made.raw = raw
    return made


def broke() -> AttemptFailed:
    return AttemptFailed("transient", "the connection was lost", code="reset")


def silence() -> AttemptFailed:
    return timed_out("nothing came for 1 s")


def fails(failed: AttemptFailed) -> Act:
    async def act(call: Call) -> AsyncGenerator[list[Chunk], None]:
        raise failed
        yield []

    return act


def says(
    pieces: Iterable[str],
    failed: AttemptFailed | None = None,
    *,
    id_: str = "old",
    then: Iterable[Chunk] = (),
) -> Act:
    """The role, a chunk for each piece, then a failure or a good end."""

    async def act(call: Call) -> AsyncGenerator[list[Chunk], None]:
        yield [chunk({"role": "assistant", "content": ""}, id_=id_)]
        for piece in pieces:
            yield [chunk({"content": piece}, id_=id_)]
        for one in then:
            yield [one]
        if failed is not None:
            raise failed
        yield [chunk({}, "stop", id_=id_)]

    return act


def sends(*batches: list[Chunk], failed: AttemptFailed | None = None) -> Act:
    async def act(call: Call) -> AsyncGenerator[list[Chunk], None]:
        for batch in batches:
            yield batch
        if failed is not None:
            raise failed

    return act


def hangs(after: Iterable[Chunk] = ()) -> Act:
    async def act(call: Call) -> AsyncGenerator[list[Chunk], None]:
        for one in after:
            yield [one]
        await asyncio.Event().wait()

    return act


class Peer:
    """A backend that acts."""

    tells_trace = True

    def __init__(self, name: str, *acts: Act) -> None:
        self.name = name
        self.calls: list[Call] = []
        self.running = 0
        self._acts = list(acts)
        self.left: Headroom | None = None

    def play(self, *acts: Act) -> None:
        """Other acts from the next call on."""
        self._acts = list(acts)

    async def run(self, call: Call) -> AsyncGenerator[list[Chunk], None]:
        self.calls.append(call)
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        self.running += 1
        try:
            async with aclosing(act(call)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self.running -= 1

    def headroom(self, model: str) -> Headroom | None:
        return self.left

    async def health(self) -> Health:
        return Health(True)

    async def close(self) -> None:
        """Nothing to let go of."""

    def bodies(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(call.body) for call in self.calls]


def candidate(
    name: str, *, prefix: bool = False, context: int = 4096, model: str = ""
) -> Candidate:
    return Candidate(name, model or f"m-{name}", "test", context, prefix)


class Stage:
    """An executor over peers, on a clock that moves when it waits."""

    def __init__(self, *peers: Peer) -> None:
        self.clock = FakeClock()
        self.vitals = Vitals(self.clock)
        self.trail = Trail("req-1")
        self.pauses: list[float] = []
        self.executor = Executor(
            {peer.name: peer for peer in peers},
            self.vitals,
            self.clock,
            random.Random(7),
            len,
            self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)

    async def start(
        self, *plan: Candidate, within_s: float = 100.0, rules: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Answer:  # fmt: skip
        request = chat(**{"stream": True, **fields})
        policy = ExecutionPolicy.model_validate(rules or {})
        deadline = self.clock.monotonic() + within_s
        return await self.executor.start(Plan(list(plan)), request, self.trail, deadline, policy)

    async def drain(self, *plan: Candidate, **how: Any) -> tuple[list[Chunk], Answer]:
        answer = await self.start(*plan, **how)
        return [chunk async for batch in answer.chunks for chunk in batch], answer

    def outcomes(self) -> list[str]:
        return [note.decision for note in self.trail.notes]

    def running(self) -> int:
        """Calls that were begun and have not ended, as the vitals count them."""
        return sum(vital.running for vital in self.vitals)


def text_of(chunks: list[Chunk]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

"""Backends across a hop: the two ends of it, joined in one process without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from serve_app.backends.base import AttemptFailed, Call, Health
from serve_app.core.types import Chunk, ChunkChoice, Delta
from serve_app.core.vital import Headroom
from serve_app.deployments.backend_hop import RemoteBackend
from serve_app.deployments.batch_runner import BatchRunner
from serve_app.deployments.hop import HopFailed


def text(chunks: list[Chunk]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks)


def word(content: str) -> Chunk:
    return Chunk(raw=content.encode(), choices=[ChunkChoice(delta=Delta(content=content))])


class Scripted:
    """A backend that does what the model's name says."""

    name = "scripted"
    tells_trace = True

    def __init__(self) -> None:
        self.stopped: list[str] = []
        self.calls: list[Call] = []
        self.gate = asyncio.Event()
        self.left: Headroom | None = None

    async def run(self, call: Call) -> AsyncGenerator[list[Chunk], None]:
        self.calls.append(call)
        try:
            if call.model == "unwanted":
                raise AttemptFailed("content", "not this", status=400)
            if call.model == "refuse":
                raise AttemptFailed("candidate", "no", status=401, code="provider_auth")
            if call.model == "break":
                yield [word("half")]
                raise AttemptFailed("transient", "cut", retry_after_s=2.5)
            if call.model == "bug":
                raise ZeroDivisionError
            if call.model == "wait":
                yield [word("first")]
                await self.gate.wait()
            for n in range(100 if call.stream else 1):
                yield [word(f"{call.request_id}-{n} ")]
        finally:
            self.stopped.append(call.request_id)

    def headroom(self, model: str) -> Headroom | None:
        return self.left

    async def health(self) -> Health:
        return Health(ok=True, detail="well")

    async def close(self) -> None:
        """Nothing is held."""


class Direct:
    """Carries batches to a runner in this process; counts messages, can be cut."""

    def __init__(self, runner: BatchRunner) -> None:
        self._runner = runner
        self.batches = 0
        self.messages = 0
        self.cut = False

    async def open(self, payload: bytes) -> AsyncGenerator[bytes, None]:
        self.batches += 1
        stream = self._runner.run(payload)
        try:
            async for message in stream:
                self.messages += 1
                if self.cut:
                    raise HopFailed("the replica died", retryable=True)
                yield message
        finally:
            await stream.aclose()

    async def cancel(self, call_ids: list[str]) -> None:
        self._runner.cancel(call_ids)

    async def health(self) -> bytes:
        return await self._runner.health()


class Pair:
    def __init__(self) -> None:
        self.backend = Scripted()
        self.wire = Direct(BatchRunner(self.backend))
        self.remote = RemoteBackend("scripted", self.wire)

    async def ask(self, name: str, model: str = "ok", *, stream: bool = False) -> str:
        call = Call("scripted", model, b"{}", stream, name, 5.0)
        return text([c async for batch in self.remote.run(call) for c in batch])


async def until(condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.001)


async def test_calls_that_wait_travel_together_and_each_gets_its_own_answer() -> None:
    pair = Pair()
    names = [f"r{n}" for n in range(40)]
    answers = await asyncio.gather(*(pair.ask(name) for name in names))
    assert answers == [f"{name}-0 " for name in names]
    assert pair.wire.batches < 10
    assert pair.wire.messages < 30


async def test_a_stream_arrives_whole_in_order_and_gathered() -> None:
    pair = Pair()
    answer = await pair.ask("s", stream=True)
    assert answer == "".join(f"s-{n} " for n in range(100))
    assert pair.wire.messages < 60


async def test_the_first_words_do_not_wait_for_the_rest() -> None:
    pair = Pair()
    call = Call("scripted", "wait", b"{}", True, "w", 5.0)
    stream = pair.remote.run(call)
    assert text(await anext(stream)) == "first"
    await stream.aclose()


async def test_failures_cross_with_all_they_say() -> None:
    pair = Pair()
    with pytest.raises(AttemptFailed) as refused:
        await pair.ask("a", "refuse")
    assert (refused.value.kind, refused.value.status) == ("candidate", 401)
    with pytest.raises(AttemptFailed) as broken:
        await pair.ask("b", "break", stream=True)
    assert (broken.value.kind, broken.value.retry_after_s) == ("transient", 2.5)


async def test_one_call_that_fails_does_not_touch_its_companions() -> None:
    pair = Pair()
    asked = [pair.ask("x", "bug"), *(pair.ask(f"r{n}") for n in range(5))]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers[0], AttemptFailed)
    assert answers[1:] == [f"r{n}-0 " for n in range(5)]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_caller_that_leaves_stops_its_call_on_the_other_side(stream: bool) -> None:
    pair = Pair()
    leaving = asyncio.create_task(pair.ask("leaves", "wait", stream=stream))
    staying = asyncio.create_task(pair.ask("stays", "wait", stream=stream))
    await until(lambda: pair.wire.messages >= 2)
    leaving.cancel()
    await until(lambda: pair.backend.stopped == ["leaves"])
    pair.backend.gate.set()
    assert (await staying).startswith("firststays-0")


async def test_a_dead_replica_is_a_failed_attempt() -> None:
    pair = Pair()
    pair.wire.cut = True
    with pytest.raises(AttemptFailed, match="cannot be reached"):
        await pair.ask("a")
    pair.wire.cut = False
    assert await pair.ask("b") == "b-0 "


async def test_health_crosses_too() -> None:
    assert (await Pair().remote.health()).detail == "well"


async def test_a_call_crosses_with_all_that_it_asks() -> None:
    pair = Pair()
    call = Call("scripted", "ok", b"{}", True, "r", 5.0, 2, "embeddings", "Once upon")
    async for _ in pair.remote.run(call):
        pass
    assert pair.backend.calls == [call]


async def test_a_content_refusal_crosses_as_one() -> None:
    with pytest.raises(AttemptFailed) as refused:
        await Pair().ask("a", "unwanted")
    assert refused.value.kind == "content"


async def test_what_was_skipped_crosses_with_its_chunk() -> None:
    pair = Pair()
    chunks = [Chunk(raw=b"{}", skipped=2)]

    async def run(call: Call) -> AsyncGenerator[list[Chunk], None]:
        yield chunks

    pair.backend.run = run  # type: ignore[method-assign]
    call = Call("scripted", "ok", b"{}", True, "r", 5.0)
    assert [chunk.skipped async for batch in pair.remote.run(call) for chunk in batch] == [2]


async def test_headroom_crosses_with_the_first_words_and_at_the_end() -> None:
    pair = Pair()
    assert pair.remote.headroom("wait") is None
    pair.backend.left = Headroom(3, None, 60.0)
    stream = pair.remote.run(Call("scripted", "wait", b"{}", True, "w", 5.0))
    await anext(stream)
    told = pair.remote.headroom("wait")
    assert told is not None
    assert told.requests_left == 3
    assert 50.0 < told.resets_in_s <= 60.0
    pair.backend.left = Headroom(2, None, 60.0)
    pair.backend.gate.set()
    assert [batch async for batch in stream]
    told = pair.remote.headroom("wait")
    assert told is not None
    assert told.requests_left == 2
    assert pair.remote.headroom("another") is None


async def test_headroom_of_a_refusal_crosses_too() -> None:
    pair = Pair()
    pair.backend.left = Headroom(0, None, 30.0)
    with pytest.raises(AttemptFailed):
        await pair.ask("a", "refuse")
    told = pair.remote.headroom("refuse")
    assert told is not None
    assert told.requests_left == 0
    pair.backend.left = None
    with pytest.raises(AttemptFailed):
        await pair.ask("b", "refuse")
    assert pair.remote.headroom("refuse") is None

"""The coalescing hop, over a carrier of our own: order, batching, limits, failures."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from serve_app.core.errors import Overloaded
from serve_app.core.kept import Found, Lookup
from serve_app.deployments.hop import Coalescer, HopFailed


class Carrier:
    """Answers each lookup with its own fingerprint; can be held shut and can fail."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.failures: list[HopFailed] = []
        self.running = 0
        self.most_running = 0

    async def __call__(self, payload: bytes) -> bytes:
        batch = msgspec.msgpack.decode(payload, type=list[Lookup])
        self.batches.append(len(batch))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.open.wait()
            if self.failures:
                raise self.failures.pop()
        finally:
            self.running -= 1
        return msgspec.msgpack.encode([Found(item.fingerprint) for item in batch])


async def ask(hop: Coalescer[Lookup, Found], name: str) -> str:
    return (await hop([Lookup(name)]))[0].level


async def test_what_arrives_meanwhile_rides_in_the_next_call() -> None:
    carrier = Carrier()
    carrier.open.clear()
    hop: Coalescer[Lookup, Found] = Coalescer("t", carrier, Found, in_flight=2)
    asked = []
    for name in ("first", "second"):
        asked.append(asyncio.create_task(ask(hop, name)))
        while len(carrier.batches) < len(asked):
            await asyncio.sleep(0)
    asked += [asyncio.create_task(ask(hop, str(n))) for n in range(50)]
    await asyncio.sleep(0)
    carrier.open.set()
    assert await asyncio.gather(*asked) == ["first", "second", *map(str, range(50))]
    assert carrier.batches == [1, 1, 50]
    assert carrier.most_running == 2


async def test_a_batch_keeps_its_order() -> None:
    hop: Coalescer[Lookup, Found] = Coalescer("t", Carrier(), Found)
    found = await hop([Lookup("a"), Lookup("b"), Lookup("c")])
    assert [f.level for f in found] == ["a", "b", "c"]


async def test_a_dead_replica_is_tried_once_more() -> None:
    carrier = Carrier()
    carrier.failures = [HopFailed("died", retryable=True)]
    hop: Coalescer[Lookup, Found] = Coalescer("t", carrier, Found)
    assert await ask(hop, "a") == "a"
    assert len(carrier.batches) == 2


async def test_a_lasting_failure_is_a_clear_refusal_and_the_hop_lives_on() -> None:
    carrier = Carrier()
    carrier.failures = [HopFailed("bug", retryable=False)]
    hop: Coalescer[Lookup, Found] = Coalescer("router.plan", carrier, Found)
    with pytest.raises(Overloaded, match=r"router\.plan"):
        await ask(hop, "a")
    assert await ask(hop, "b") == "b"


async def test_a_silent_stage_does_not_hold_its_callers() -> None:
    carrier = Carrier()
    carrier.open.clear()
    hop: Coalescer[Lookup, Found] = Coalescer("t", carrier, Found, timeout_s=0.05)
    with pytest.raises(Overloaded):
        await ask(hop, "a")


async def test_a_caller_that_leaves_takes_nobody_with_it() -> None:
    carrier = Carrier()
    carrier.open.clear()
    hop: Coalescer[Lookup, Found] = Coalescer("t", carrier, Found, in_flight=1)
    leaving = asyncio.create_task(ask(hop, "leaves"))
    staying = asyncio.create_task(ask(hop, "stays"))
    while not carrier.batches:
        await asyncio.sleep(0)
    leaving.cancel()
    carrier.open.set()
    assert await staying == "stays"
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_too_much_waiting_is_refused_at_once() -> None:
    carrier = Carrier()
    carrier.open.clear()
    hop: Coalescer[Lookup, Found] = Coalescer("t", carrier, Found, in_flight=1, max_waiting=2)
    first = asyncio.create_task(ask(hop, "a"))
    while not carrier.batches:
        await asyncio.sleep(0)
    waiting = [asyncio.create_task(ask(hop, name)) for name in "bc"]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await ask(hop, "d")
    carrier.open.set()
    assert await asyncio.gather(first, *waiting) == ["a", "b", "c"]


async def test_a_call_that_nobody_waits_for_is_stopped_where_it_may_be() -> None:
    carrier = Carrier()
    carrier.open.clear()
    hop: Coalescer[Lookup, Found] = Coalescer("t", carrier, Found, in_flight=1, stops=True)
    first = asyncio.create_task(ask(hop, "a"))
    while carrier.running != 1:
        await asyncio.sleep(0)
    other = asyncio.create_task(ask(hop, "b"))
    first.cancel()
    # The call that held the only place is over, so that the next one leaves.
    while len(carrier.batches) < 2:
        await asyncio.sleep(0)
    assert carrier.running == 1
    carrier.open.set()
    assert await other == "b"
    assert carrier.batches == [1, 1]


async def test_a_call_that_somebody_still_waits_for_goes_on() -> None:
    carrier = Carrier()
    carrier.open.clear()
    hop: Coalescer[Lookup, Found] = Coalescer("t", carrier, Found, in_flight=1, stops=True)
    tasks = [asyncio.create_task(ask(hop, name)) for name in ("a", "b", "c")]
    while carrier.running != 1:
        await asyncio.sleep(0)
    assert carrier.batches == [3]
    for task in tasks[:2]:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert carrier.running == 1
    carrier.open.set()
    assert await tasks[2] == "c"
    assert carrier.batches == [3]

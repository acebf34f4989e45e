"""Workers without work: they look again soon at first, then rarely, and at once when told."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from serve_app.tasks.idle import Idle


def idle(**limits: float) -> Idle:
    return Idle(random.Random(3), **limits)


async def pauses(idle: Idle, count: int) -> list[float]:
    found = []
    for _ in range(count):
        began = time.perf_counter()
        await idle.pause()
        found.append(time.perf_counter() - began)
    return found


async def test_pauses_grow_and_begin_anew_after_work() -> None:
    resting = idle(least_s=0.01, most_s=0.04)
    took = await pauses(resting, 4)
    for real, least in zip(took, (0.008, 0.016, 0.032, 0.032), strict=True):
        assert real >= least * 0.95
    resting.found()
    assert resting._next_s == 0.01


async def test_who_is_woken_does_not_sleep_on() -> None:
    resting = idle(least_s=60, most_s=60)
    pausing = asyncio.create_task(resting.pause())
    await asyncio.sleep(0)
    resting.wake()
    async with asyncio.timeout(5):
        await pausing


async def test_a_call_between_two_pauses_is_not_missed() -> None:
    resting = idle(least_s=60, most_s=60)
    resting.wake()
    async with asyncio.timeout(5):
        await resting.pause()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await resting.pause()

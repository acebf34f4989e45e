"""Lines of requests to one session: in order, bounded in time, and gone when nobody waits."""

from __future__ import annotations

import asyncio

import pytest

from serve_app.core.errors import DeadlineExceeded
from serve_app.steps.queueing import Lines


async def test_turns_come_in_order_and_leave_nothing_behind() -> None:
    lines, done = Lines(), list[int]()

    async def work(number: int) -> None:
        async with lines.turn("s", 30):
            await asyncio.sleep(0)
            done.append(number)

    assert not lines.has("s")
    await asyncio.gather(*map(work, range(20)))
    assert done == list(range(20))
    assert not lines.has("s")


async def test_sessions_do_not_wait_for_one_another() -> None:
    lines = Lines()
    async with lines.turn("one", 30), lines.turn("other", 30):
        assert lines.has("one")
        assert lines.has("other")


async def test_who_waits_too_long_or_leaves_keeps_nobody_from_a_turn() -> None:
    lines = Lines()
    async with lines.turn("s", 30):
        with pytest.raises(DeadlineExceeded):
            async with lines.turn("s", 0.01):
                pytest.fail("the turn is another's")
        leaver = asyncio.create_task(lines.turn("s", 30).__aenter__())
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        assert lines.has("s")
    assert not lines.has("s")
    async with lines.turn("s", 0.01):
        pass


async def test_a_failure_gives_the_turn_back() -> None:
    lines = Lines()
    with pytest.raises(ZeroDivisionError):
        async with lines.turn("s", 30):
            raise ZeroDivisionError
    assert not lines.has("s")

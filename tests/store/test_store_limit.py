import asyncio

import pytest

from serve_app.store.limit import TimeLimit


async def test_what_takes_too_long_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        async with TimeLimit(0.01):
            await never()
    assert cancelled.is_set()


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def body() -> None:
        async with TimeLimit(60):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(body())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_fires_after_the_body_is_done() -> None:
    async with TimeLimit(0.0):
        pass
    await asyncio.sleep(0.01)

"""Work left behind by requests: done in batches, bounded, and finished at shutdown."""

from __future__ import annotations

import asyncio

import pytest

from serve_app.steps.background import Background


async def test_what_gathers_is_done_in_one_batch() -> None:
    done: list[list[int]] = []

    async def work(batch: list[int]) -> None:
        done.append(batch)

    queue: Background[int] = Background("t", work)
    queue.start()
    for n in range(10):
        queue.put(n)
    await queue.close(5)
    assert [n for batch in done for n in batch] == list(range(10))
    assert len(done) == 1


async def test_a_failing_batch_does_not_stop_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    failed = asyncio.Event()

    async def work(batch: list[int]) -> None:
        if batch == [1]:
            failed.set()
            raise ZeroDivisionError
        done.extend(batch)

    queue: Background[int] = Background("the queue", work)
    queue.start()
    queue.put(1)
    await asyncio.wait_for(failed.wait(), 5)
    queue.put(2)
    await queue.close(5)
    assert done == [2]
    assert "the queue" in caplog.text


async def test_too_much_drops_the_oldest_and_counts_it() -> None:
    done: list[int] = []

    async def work(batch: list[int]) -> None:
        done.extend(batch)

    queue: Background[int] = Background("t", work, max_waiting=3)
    for n in range(5):
        queue.put(n)
    queue.start()
    await queue.close(5)
    assert done == [2, 3, 4]
    assert queue.dropped == 2


async def test_closing_has_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    async def work(batch: list[int]) -> None:
        await asyncio.sleep(3600)

    queue: Background[int] = Background("slow", work, max_batch=1)
    queue.start()
    queue.put(1)
    queue.put(2)
    await asyncio.wait_for(queue.close(0.05), 5)
    assert "not done" in caplog.text

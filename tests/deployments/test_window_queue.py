"""What waits for a classifier: batches, turns, bounds, and askers who leave."""

from __future__ import annotations

import asyncio

import pytest

from serve_app.deployments.window_queue import BatchFailed, Full, Window, WindowQueue


class Model:
    """Scores a window by its first number; can be held shut, and fails on a negative one."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.begun = asyncio.Event()

    async def __call__(self, windows: list[Window]) -> list[list[float]]:
        self.batches.append([window[0] for window in windows])
        self.begun.set()
        await self.open.wait()
        if any(window[0] < 0 for window in windows):
            raise ValueError(windows)
        return [[window[0] / 100, 1 - window[0] / 100] for window in windows]


def queue(model: Model, *, max_batch: int = 4, max_waiting: int = 100) -> WindowQueue:
    return WindowQueue(model, max_batch=max_batch, max_waiting=max_waiting)


def long(number: int, count: int) -> list[Window]:
    return [[number]] * count


async def held(
    model: Model, line: WindowQueue, *texts: list[Window]
) -> list[asyncio.Task[list[float]]]:
    """Texts that wait behind a first one, which the model is busy with."""
    model.open.clear()
    tasks = [asyncio.create_task(line.judge([[1]]))]
    await model.begun.wait()
    tasks += [asyncio.create_task(line.judge(windows)) for windows in texts]
    await asyncio.sleep(0)
    return tasks


async def test_the_highest_score_of_each_label_counts() -> None:
    assert await queue(Model()).judge([[10], [90], [50]]) == [0.9, 0.9]


async def test_what_arrives_while_the_model_computes_rides_together() -> None:
    model = Model()
    line = queue(model)
    tasks = await held(model, line, *([[n]] for n in range(2, 8)))
    model.open.set()
    assert [scores[0] for scores in await asyncio.gather(*tasks)] == [n / 100 for n in range(1, 8)]
    assert model.batches == [[1], [2, 3, 4, 5], [6, 7]]
    assert (line.batches, line.windows, line.waiting) == (3, 7, 0)


async def test_a_long_text_does_not_hold_up_short_ones() -> None:
    model = Model()
    line = queue(model)
    tasks = await held(model, line, long(50, 40), [[2]], [[3]])
    model.open.set()
    await asyncio.gather(*tasks[:1], *tasks[2:])
    assert sorted(model.batches[1]) == [2, 3, 50, 50]
    assert await tasks[1] == [0.5, 0.5]
    assert all(len(batch) <= 4 for batch in model.batches)


async def test_the_windows_of_who_left_are_not_computed() -> None:
    model = Model()
    line = queue(model)
    tasks = await held(model, line, long(50, 40), [[2]])
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    assert line.waiting == 1
    model.open.set()
    assert await tasks[2] == [0.02, 0.98]
    assert model.batches == [[1], [2]]


async def test_more_than_may_wait_is_refused_and_who_left_makes_room() -> None:
    model = Model()
    line = queue(model, max_waiting=10)
    tasks = await held(model, line, long(50, 10))
    with pytest.raises(Full):
        await line.judge([[2]])
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    last = asyncio.create_task(line.judge([[3]]))
    model.open.set()
    assert await last == [0.03, 0.97]


async def test_a_text_of_more_windows_than_may_wait_is_never_judged() -> None:
    with pytest.raises(Full):
        await queue(Model(), max_waiting=10).judge(long(1, 11))


async def test_a_batch_that_fails_fails_alone_and_tells_nothing_of_the_text() -> None:
    model = Model()
    line = queue(model, max_batch=1)
    with pytest.raises(BatchFailed, match=r"^ValueError$"):
        await line.judge([[-1], [7]])
    assert line.failures == 1
    assert await line.judge([[5]]) == [0.05, 0.95]
    assert (line.failures, line.waiting) == (0, 0)
    assert model.batches == [[-1], [5]]


async def test_a_queue_that_closes_tells_who_waits() -> None:
    model = Model()
    line = queue(model)
    tasks = await held(model, line, long(50, 40), [[2]])
    await line.close()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Full] * 3

"""A local model without a free turn: its calls go elsewhere or are told when to come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from backend_calls import MakeHosted
from backend_desk import Desk
from provider.slow_model import SlowModel

from serve_app.backends.base import BUSY
from serve_app.backends.local_vllm import LocalVLLM
from serve_app.config.backend_settings import LocalBackend, ModelSettings
from serve_app.core.errors import Overloaded
from serve_app.vitals.breaker import FAILURES


def local(model: SlowModel, max_waiting: int = 0, max_wait_s: float = 10.0) -> LocalVLLM:
    settings = LocalBackend(
        name="local",
        kind="local",
        app="model",
        tokenizer="embedded",
        models=[ModelSettings(id="small", context=2048)],
        max_running=1,
        max_waiting=max_waiting,
        max_wait_s=max_wait_s,
    )
    return LocalVLLM(settings, model)


@asynccontextmanager
async def busy(desk: Desk, model: SlowModel) -> AsyncIterator[None]:
    """While one call is at the model."""
    task = asyncio.create_task(desk.answer("local/small", stream=False))
    while not model.running:
        await asyncio.sleep(0)
    try:
        yield
    finally:
        model.go_on.set()
        await task


@pytest.fixture
def model() -> SlowModel:
    return SlowModel()


async def test_the_next_candidate_steps_in(model: SlowModel, make_hosted: MakeHosted) -> None:
    desk = Desk(local(model), make_hosted("hosted"))
    async with busy(desk, model):
        _, answer = await desk.answer("local/small", "hosted/ok", stream=False)
    assert answer.candidate.backend == "hosted"
    assert desk.pauses == []


async def test_alone_it_refuses_at_once_and_says_when_to_come_back(model: SlowModel) -> None:
    desk = Desk(local(model))
    async with busy(desk, model):
        error = await desk.fail("local/small", stream=False)
    assert isinstance(error, Overloaded)
    assert (error.code, error.retry_after_s) == (BUSY, 1.0)
    assert (desk.pauses, len(model.asked)) == ([], 1)


@pytest.mark.parametrize("other", ["status-500", "status-401"])
async def test_with_another_that_fails_it_is_still_room_that_is_missing(
    model: SlowModel, make_hosted: MakeHosted, other: str
) -> None:
    desk = Desk(local(model), make_hosted("hosted"))
    async with busy(desk, model):
        error = await desk.fail(f"hosted/{other}", "local/small", stream=False)
    assert isinstance(error, Overloaded)
    assert error.retry_after_s is not None
    assert "hosted/" in error.message


async def test_a_busy_model_is_not_a_failing_one(model: SlowModel) -> None:
    desk = Desk(local(model))
    async with busy(desk, model):
        for _ in range(FAILURES * 3):
            await desk.fail("local/small", stream=False)
        reading = desk.vitals.of("local", "small").reading()
    assert (reading.is_open, reading.error_rate, reading.away) == (False, 0.0, "")
    assert reading.running == 1


async def test_who_waited_too_long_goes_to_the_next_candidate(
    model: SlowModel, make_hosted: MakeHosted
) -> None:
    desk = Desk(local(model, max_waiting=4, max_wait_s=0.02), make_hosted("hosted"))
    async with busy(desk, model):
        _, answer = await desk.answer("local/small", "hosted/ok", stream=False)
    assert answer.candidate.backend == "hosted"
    assert not desk.vitals.of("local", "small").breaker.is_open


async def test_a_caller_that_leaves_the_queue_leaves_nothing(model: SlowModel) -> None:
    backend = local(model, max_waiting=4)
    desk = Desk(backend)
    async with busy(desk, model):
        leaver = asyncio.create_task(desk.start("local/small", stream=False))
        while not backend.queue().waiting["interactive"]:
            await asyncio.sleep(0)
        leaver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaver
        assert backend.queue().waiting["interactive"] == 0
    assert desk.vitals.of("local", "small").running == 0
    assert backend.queue().running == 0
    assert (await desk.answer("local/small", stream=False))[0] == "word"

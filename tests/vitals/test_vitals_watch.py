from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from serve_app.core.clock import FakeClock
from serve_app.vitals.book import Vitals
from serve_app.vitals.watch import Watch


class State(Struct, frozen=True):
    ok: bool
    detail: str = ""


class Model:
    """A local model whose state a test sets; an exception is raised."""

    def __init__(self) -> None:
        self.state: State | Exception | None = State(ok=True)
        """None: no answer."""
        self.asked = 0

    async def health(self) -> State:
        self.asked += 1
        if self.state is None:
            await asyncio.Event().wait()
        if isinstance(self.state, Exception):
            raise self.state
        assert isinstance(self.state, State)
        return self.state


@asynccontextmanager
async def watched(**models: Model) -> AsyncIterator[Vitals]:
    vitals = Vitals(FakeClock())
    checks = {name: model.health for name, model in models.items()}
    known = {name: ["m", "n"] for name in models}
    watch = Watch(checks, vitals, known, interval_s=0.005, limit_s=0.05)
    watch.start()
    try:
        yield vitals
    finally:
        await watch.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.002)


async def test_a_model_that_is_not_running_is_away_until_it_is() -> None:
    model = Model()
    async with watched(local=model) as vitals:
        vital = vitals.of("local", "m")
        await until(lambda: vital.down == "")
        model.state = State(ok=False, detail="model application 'x' is not running")
        await until(lambda: vital.reading().away == "model application 'x' is not running")
        assert vitals.of("local", "n").reading().away
        model.state = State(ok=True)
        await until(lambda: not vital.reading().away)


async def test_one_that_does_not_say_how_it_is_counts_as_away_and_is_asked_again() -> None:
    model = Model()
    model.state = None
    async with watched(local=model) as vitals:
        vital = vitals.of("local", "m")
        await until(lambda: "within 0.05 s" in vital.reading().away)
        model.state = State(ok=True)
        await until(lambda: not vital.reading().away)


async def test_a_check_that_fails_ends_nothing() -> None:
    model = Model()
    model.state = OSError("10.0.0.7 refused")
    async with watched(local=model) as vitals:
        vital = vitals.of("local", "m")
        await until(lambda: "OSError" in vital.reading().away)
        assert "10.0.0.7" not in vital.reading().away
        asked = model.asked
        await until(lambda: model.asked > asked)


async def test_a_silent_one_does_not_hold_up_the_others() -> None:
    silent, other = Model(), Model()
    silent.state = None
    async with watched(silent=silent, other=other) as vitals:
        await until(lambda: other.asked > 3)
        assert vitals.of("other", "m").down == ""


async def test_after_close_nobody_is_asked() -> None:
    model = Model()
    async with watched(local=model):
        await until(lambda: model.asked > 0)
    asked = model.asked
    await asyncio.sleep(0.05)
    assert model.asked == asked
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("watch-")]

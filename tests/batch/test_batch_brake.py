"""Caps where requests begin: nothing is begun past them, and what runs may end."""

from __future__ import annotations

import asyncio

from serve_app.batch.brake import Brake
from serve_app.batch.results import Result


def answered(brake: Brake, cost: int = 0, kind: str = "") -> None:
    brake.ended(Result(0, cost_micro_usd=cost, kind=kind))


def test_without_caps_everything_may_begin() -> None:
    brake = Brake(None, None)
    for _ in range(5):
        assert brake.begin()
        answered(brake, 1_000_000, "timeout")
    assert not brake.why


def test_a_budget_counts_what_runs_at_the_average_of_what_was() -> None:
    brake = Brake(100, None)
    assert brake.begin()
    answered(brake, 40)
    assert brake.begin()  # 40 spent
    assert brake.begin()  # and 40 more on their way
    assert not brake.begin()  # a third would pass 100
    assert "budget" in brake.why
    answered(brake, 40)
    answered(brake, 20)
    assert brake.answered == 3


def test_one_error_more_than_allowed_ends_it() -> None:
    brake = Brake(None, 1)
    for _ in range(2):
        assert brake.begin()
        answered(brake, kind="timeout")
    assert not brake.begin()
    assert "timeout" in brake.why


def test_the_first_reason_counts() -> None:
    brake = Brake(None, None)
    brake.pull("one")
    brake.pull("two")
    assert brake.why == "one"


async def test_idle_means_that_what_ran_has_ended_or_was_dropped() -> None:
    brake = Brake(None, None)
    await brake.idle()
    brake.begin()
    brake.begin()
    brake.pull("enough")
    waiting = asyncio.create_task(brake.idle())
    answered(brake)
    await asyncio.sleep(0)
    assert not waiting.done()
    brake.dropped()
    await waiting
    assert brake.answered == 1

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from virtual_time import in_virtual_time

from serve_app.backends.base import BUSY, AttemptFailed
from serve_app.backends.turns import BATCH_EVERY, MAX_RETRY_S, Turns
from serve_app.core.types import Priority
from serve_app.core.vital import Queue

HOUR_S = 3600.0


def turns(limit: int = 1, *, most: int = 100, wait_s: float = HOUR_S, **more: Any) -> Turns:
    return Turns(limit, max_waiting=most, max_wait_s=wait_s, **more)


class Crowd:
    """Callers of one model. Each holds its turn for `hold_s`; who had turns, in order."""

    def __init__(self, turns: Turns, hold_s: float = 1.0) -> None:
        self.turns = turns
        self.hold_s = hold_s
        self.order: list[str] = []
        self.waits: dict[str, list[float]] = {}
        self.refused: list[tuple[str, AttemptFailed, float]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def come(
        self, who: str, count: int = 1, priority: Priority = "interactive", left_s: float = HOUR_S
    ) -> list[asyncio.Task[None]]:
        new = [asyncio.create_task(self._call(who, priority, left_s)) for _ in range(count)]
        self.tasks += new
        return new

    async def _call(self, who: str, priority: Priority, left_s: float) -> None:
        loop = asyncio.get_running_loop()
        came = loop.time()
        try:
            began = await self.turns.take(who, priority, left_s)
        except AttemptFailed as failed:
            self.refused.append((who, failed, loop.time() - came))
            return
        self.order.append(who)
        self.waits.setdefault(who, []).append(loop.time() - came)
        try:
            await asyncio.sleep(self.hold_s)
        finally:
            self.turns.give_back(began)

    async def all_gone(self) -> None:
        await asyncio.gather(*self.tasks, return_exceptions=True)
        state = self.turns.state()
        assert (state.running, sum(state.waiting.values())) == (0, 0)


Scene = Callable[[], Awaitable[None]]


def virtual(scene: Scene) -> Callable[[], None]:
    """A test that runs in virtual time."""

    def test() -> None:
        async def play() -> None:
            await scene()

        in_virtual_time(play())

    test.__name__ = scene.__name__
    test.__doc__ = scene.__doc__
    return test


async def settled() -> None:
    """Let everybody go as far as they can without time passing."""
    for _ in range(5):
        await asyncio.sleep(0)


# ---------------------------------------------------------------------- turns


@virtual
async def test_nobody_waits_while_there_is_room() -> None:
    crowd = Crowd(turns(3))
    crowd.come("a", 3)
    await settled()
    assert crowd.turns.state() == Queue(3, {"interactive": 0, "batch": 0}, {})
    await crowd.all_gone()
    assert crowd.waits == {"a": [0.0, 0.0, 0.0]}


@virtual
async def test_a_flood_of_one_tenant_does_not_delay_another() -> None:
    crowd = Crowd(turns(2, most=1000))
    crowd.come("flood", 500)
    for _ in range(20):
        await asyncio.sleep(3.0)
        crowd.come("quiet")
    await crowd.all_gone()
    assert len(crowd.order) == 520
    assert max(crowd.waits["quiet"]) <= 2.0  # at most one turn of the other comes before


@virtual
async def test_weights_divide_the_turns() -> None:
    crowd = Crowd(turns(weights={"big": 3}))
    crowd.come("big", 40)
    crowd.come("small", 40)
    await crowd.all_gone()
    assert crowd.order[1:41].count("big") == 30


@virtual
async def test_people_come_before_programs() -> None:
    crowd = Crowd(turns())
    crowd.come("programs", 10, "batch")
    await settled()
    crowd.come("people", 10)
    await crowd.all_gone()
    assert crowd.order == ["programs"] + ["people"] * 10 + ["programs"] * 9


@virtual
async def test_programs_are_never_starved() -> None:
    crowd = Crowd(turns(most=200))
    crowd.come("people", 100)
    crowd.come("programs", 4, "batch")
    await crowd.all_gone()
    places = [at for at, who in enumerate(crowd.order) if who == "programs"]
    # The first turn was had before anybody waited.
    assert places == [BATCH_EVERY * number for number in (1, 2, 3, 4)]


# --------------------------------------------------------------------- places


@virtual
async def test_beyond_the_places_a_call_is_refused_at_once() -> None:
    crowd = Crowd(turns(most=2))
    crowd.come("a", 4)
    await crowd.all_gone()
    [(_, failed, after_s)] = crowd.refused
    assert (failed.kind, failed.code, failed.status, after_s) == ("transient", BUSY, 503, 0.0)
    assert crowd.turns.state().refused == {("interactive", "full"): 1}


@virtual
async def test_without_places_nobody_waits() -> None:
    crowd = Crowd(turns(most=0))
    crowd.come("a", 2)
    crowd.come("b", 1, "batch")
    await crowd.all_gone()
    assert (len(crowd.order), len(crowd.refused)) == (1, 2)


@virtual
async def test_one_tenant_may_be_given_fewer_places() -> None:
    crowd = Crowd(turns(most=10, max_waiting_each=2))
    crowd.come("a", 5)
    crowd.come("b", 1)
    await crowd.all_gone()
    assert sorted(crowd.order) == ["a", "a", "a", "b"]


@virtual
async def test_who_has_fewer_places_is_given_one_of_the_longest_queue() -> None:
    crowd = Crowd(turns(most=10))
    crowd.come("flood", 11)
    await settled()
    crowd.come("quiet")
    await crowd.all_gone()
    assert crowd.order.count("quiet") == 1
    assert [who for who, _, _ in crowd.refused] == ["flood"]
    assert crowd.turns.state().refused == {("interactive", "displaced"): 1}


@virtual
async def test_nobody_is_sent_away_for_one_who_has_as_much() -> None:
    crowd = Crowd(turns(most=4))
    crowd.come("first", 1)
    for who in "abcd":
        crowd.come(who)
    await settled()
    crowd.come("e")
    await settled()
    assert [who for who, _, _ in crowd.refused] == ["e"]
    await crowd.all_gone()


@virtual
async def test_people_take_places_back_that_programs_had_borrowed() -> None:
    crowd = Crowd(turns(most=32))
    crowd.come("programs", 33, "batch")
    await settled()
    crowd.come("people", 40)
    await crowd.all_gone()
    assert crowd.order.count("people") == 30
    assert crowd.order.count("programs") == 1 + 32 // BATCH_EVERY


@virtual
async def test_programs_have_a_place_that_people_cannot_take() -> None:
    crowd = Crowd(turns(most=32))
    crowd.come("people", 60)
    await settled()
    crowd.come("programs", 5, "batch")
    await settled()
    crowd.come("people", 60)
    await crowd.all_gone()
    assert crowd.order.count("programs") == 32 // BATCH_EVERY


# ------------------------------------------------------------------------ time


@virtual
async def test_who_waited_too_long_is_refused() -> None:
    crowd = Crowd(turns(wait_s=3.0), hold_s=10.0)
    crowd.come("a", 2)
    await crowd.all_gone()
    [(_, failed, after_s)] = crowd.refused
    assert (failed.code, after_s) == (BUSY, 3.0)
    assert crowd.turns.state().refused == {("interactive", "late"): 1}


@virtual
async def test_of_its_deadline_a_call_waits_half() -> None:
    crowd = Crowd(turns(), hold_s=10.0)
    crowd.come("a")
    crowd.come("b", left_s=4.0)
    await crowd.all_gone()
    assert crowd.refused[0][2] == 2.0


@virtual
async def test_who_cannot_expect_a_turn_in_time_is_refused_at_once() -> None:
    crowd = Crowd(turns(wait_s=5.5), hold_s=1.0)
    crowd.come("a")
    await crowd.all_gone()  # from here on it is known that a turn takes 1 s
    crowd.come("a", 19)
    await crowd.all_gone()
    assert len(crowd.order) == 1 + 1 + 5
    assert {after_s for _, _, after_s in crowd.refused} == {0.0}
    assert {failed.retry_after_s for _, failed, _ in crowd.refused} == {6.0}
    assert crowd.turns.state().refused == {("interactive", "slow"): 13}


@virtual
async def test_a_flood_says_nothing_about_another_tenants_turn() -> None:
    crowd = Crowd(turns(wait_s=5.5), hold_s=1.0)
    crowd.come("flood")
    await crowd.all_gone()
    crowd.come("flood", 20)
    await settled()
    crowd.come("quiet")
    await crowd.all_gone()
    assert crowd.waits["quiet"] == [2.0]
    assert {who for who, _, _ in crowd.refused} == {"flood"}


@virtual
async def test_a_program_counts_the_people_before_it() -> None:
    crowd = Crowd(turns(wait_s=12.5), hold_s=1.0)
    crowd.come("people")
    await crowd.all_gone()
    crowd.come("people", 9)
    await settled()
    crowd.come("programs", 5, "batch")  # 8 people wait: a program may be the 9th to the 12th
    await crowd.all_gone()
    assert crowd.order.count("programs") == 4
    assert crowd.turns.state().refused == {("batch", "slow"): 1}


@virtual
async def test_nobody_is_told_to_come_back_at_once_or_never() -> None:
    crowd = Crowd(turns(most=0), hold_s=0.1)
    for hold_s in (0.1, 9999.0, 1.0):
        crowd.hold_s = hold_s
        crowd.come("a", 2)
        await crowd.all_gone()
    first, _, last = (failed.retry_after_s for _, failed, _ in crowd.refused)
    assert (first, last) == (1.0, MAX_RETRY_S)


# ----------------------------------------------------------------------- leaving


@virtual
async def test_who_leaves_the_queue_is_forgotten() -> None:
    crowd = Crowd(turns())
    crowd.come("a")
    leaver, _ = crowd.come("b", 2)
    await settled()
    leaver.cancel()
    await settled()
    assert crowd.turns.state().waiting["interactive"] == 1
    await crowd.all_gone()
    assert crowd.order == ["a", "b"]


@virtual
async def test_a_turn_that_nobody_takes_up_goes_to_the_next() -> None:
    model = turns()
    began = await model.take("a", "interactive", HOUR_S)
    crowd = Crowd(model)
    leaver, _ = crowd.come("b", 2)
    await settled()
    model.give_back(began)  # it is the leaver's now, who does not know yet
    leaver.cancel()
    await settled()
    assert leaver.cancelled()
    assert (crowd.order, model.state().running) == (["b"], 1)
    await crowd.all_gone()


@virtual
async def test_a_turn_passes_by_who_is_leaving() -> None:
    model = turns()
    began = await model.take("a", "interactive", HOUR_S)
    crowd = Crowd(model)
    leaver, _ = crowd.come("b", 2)
    await settled()
    leaver.cancel()
    model.give_back(began)
    await settled()
    assert (crowd.order, model.state().running) == (["b"], 1)
    await crowd.all_gone()

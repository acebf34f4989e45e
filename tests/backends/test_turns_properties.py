"""Turns under random arrivals, ends and leavings, all at whole seconds so that many coincide."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from virtual_time import in_virtual_time

from serve_app.backends.base import BUSY, AttemptFailed
from serve_app.backends.turns import WAIT_SHARE, Turns
from serve_app.core.types import Priority


class Visit(NamedTuple):
    """A caller: when it comes, how long its turn takes, when it leaves (if it does)."""

    at: int
    tenant: str
    priority: Priority
    hold_s: int
    stays_s: int | None
    left_s: int


visits = st.lists(
    st.builds(
        Visit,
        at=st.integers(0, 12),
        tenant=st.sampled_from("abc"),
        priority=st.sampled_from(["interactive", "batch"]),
        hold_s=st.integers(0, 5),
        stays_s=st.none() | st.integers(0, 6),
        left_s=st.sampled_from([2, 8, 1000]),
    ),
    max_size=40,
)


class House:
    """Plays visits out and looks at the turns after each thing that happens."""

    def __init__(self, limit: int, most: int, wait_s: float) -> None:
        self.turns = Turns(limit, max_waiting=most, max_wait_s=wait_s, weights={"c": 2})
        self._limit = limit
        self._most = most
        self._wait_s = wait_s
        self._inside = 0
        self.ends: list[str] = []

    async def play(self, visits: list[Visit]) -> None:
        tasks = [asyncio.create_task(self._come(visit)) for visit in visits]
        await asyncio.gather(*tasks)

    async def _come(self, visit: Visit) -> None:
        await asyncio.sleep(visit.at)
        call = asyncio.create_task(self._call(visit))
        if visit.stays_s is not None:
            asyncio.get_running_loop().call_later(visit.stays_s, call.cancel)
        await asyncio.wait([call])
        self.ends.append("left" if call.cancelled() else call.result())
        self.look()

    async def _call(self, visit: Visit) -> str:
        loop = asyncio.get_running_loop()
        came = loop.time()
        try:
            began = await self.turns.take(visit.tenant, visit.priority, visit.left_s)
        except AttemptFailed as failed:
            wait_s = failed.retry_after_s or 0.0
            return "refused" if failed.code == BUSY and 1.0 <= wait_s <= 60.0 else str(failed)
        finally:
            assert loop.time() - came <= min(self._wait_s, visit.left_s / 2)
        self._inside += 1
        try:
            self.look()
            await asyncio.sleep(visit.hold_s)
        finally:
            self._inside -= 1
            self.turns.give_back(began)
        return "served"

    def look(self) -> None:
        state = self.turns.state()
        waiting = sum(state.waiting.values())
        assert self._inside <= state.running <= self._limit
        assert waiting <= self._most
        assert not waiting or state.running == self._limit


@given(visits=visits, limit=st.integers(1, 3), most=st.integers(0, 8), wait_s=st.integers(1, 6))
def test_no_turn_is_lost_or_made_up(
    visits: list[Visit], limit: int, most: int, wait_s: int
) -> None:
    house = House(limit, most, wait_s)
    in_virtual_time(house.play(visits))
    state = house.turns.state()
    assert (state.running, set(state.waiting.values())) == (0, {0})
    assert len(house.ends) == len(visits)
    assert sum(state.refused.values()) == house.ends.count("refused")
    # All turns are there: as many as there may be at once get one.
    in_virtual_time(house.play([Visit(0, "a", "batch", 1, None, 1000)] * limit))
    assert house.ends[-limit:] == ["served"] * limit


@given(visits=visits, limit=st.integers(1, 3))
def test_with_time_and_places_for_all_everybody_that_stays_is_served(
    visits: list[Visit], limit: int
) -> None:
    staying = [visit._replace(stays_s=None, left_s=1000) for visit in visits]
    house = House(limit, len(visits), 500.0)
    in_virtual_time(house.play(staying))
    assert house.ends == ["served"] * len(visits)


class Queue:
    """A crowd that came at once, then one more caller; every turn takes a second."""

    def __init__(self, crowd: list[tuple[str, Priority]], gone: int) -> None:
        self.turns = Turns(1, max_waiting=1000, max_wait_s=1000.0, weights={"c": 2})
        self._crowd = crowd
        self._gone = gone

    def wait_of_last(self, tenant: str, priority: Priority, patience_s: float) -> float:
        """Seconds until it has its turn, or hears that it gets none."""
        return in_virtual_time(self._play(tenant, priority, patience_s))

    async def _play(self, tenant: str, priority: Priority, patience_s: float) -> float:
        await self._call("a", "interactive")
        others = [asyncio.create_task(self._call(*who)) for who in self._crowd]
        await asyncio.sleep(self._gone + 0.5)
        loop = asyncio.get_running_loop()
        came = loop.time()
        with suppress(AttemptFailed):
            self.turns.give_back(await self.turns.take(tenant, priority, patience_s / WAIT_SHARE))
        wait_s = loop.time() - came
        await asyncio.gather(*others)
        return wait_s

    async def _call(self, tenant: str, priority: Priority) -> None:
        began = await self.turns.take(tenant, priority, 1e6)
        await asyncio.sleep(1.0)
        self.turns.give_back(began)


def crowd_of(people: int, programs: int, order: Random) -> list[tuple[str, Priority]]:
    kinds: tuple[Priority, Priority] = ("interactive", "batch")
    classes = [kinds[0]] * people + [kinds[1]] * programs
    order.shuffle(classes)
    return [(order.choice("abbc"), priority) for priority in classes]


crowds = st.builds(
    crowd_of, st.integers(0, 60), st.integers(0, 8), st.randoms(use_true_random=False)
)


@given(
    crowd=crowds,
    gone=st.integers(0, 20),
    tenant=st.sampled_from("abc"),
    priority=st.sampled_from(["interactive", "batch"]),
)
def test_who_would_wait_too_long_is_told_so_at_once(
    crowd: list[tuple[str, Priority]], gone: int, tenant: str, priority: Priority
) -> None:
    """While turns take as long as they did and nobody comes after, what a call has to expect is
    worked out and not guessed."""
    needed_s = Queue(crowd, gone).wait_of_last(tenant, priority, 1000.0)
    if needed_s > 1.0:
        queue = Queue(crowd, gone)
        assert queue.wait_of_last(tenant, priority, needed_s - 0.5) == 0.0
        assert queue.turns.state().refused == {(priority, "slow"): 1}

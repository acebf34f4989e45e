"""Round trips that many share: who goes together, and who is told what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from serve_app.store.errors import StoreUnavailable
from serve_app.store.trips import TRIP, Trips


class Carrier:
    """Takes notes of the trips; each waits until it may go, if `gate` says so."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = asyncio.Event()
        self.failure: Exception | None = None

    async def carry(self, trip: list[int]) -> Sequence[int | StoreUnavailable]:
        self.trips.append(trip)
        self.under_way.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return [StoreUnavailable("refused") if one < 0 else one * 10 for one in trip]


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


async def asked(trips: Trips[int, int], *questions: int) -> list[int | BaseException]:
    return await asyncio.gather(*map(trips.ask, questions), return_exceptions=True)


async def test_a_lone_question_goes_by_itself(carrier: Carrier) -> None:
    trips = Trips("test", carrier.carry)
    assert await trips.ask(1) == 10
    assert await trips.ask(2) == 20
    assert carrier.trips == [[1], [2]]


async def test_questions_of_one_moment_share_a_trip(carrier: Carrier) -> None:
    trips = Trips("test", carrier.carry)
    assert await asked(trips, 1, 2, 3) == [10, 20, 30]
    assert carrier.trips == [[1, 2, 3]]


async def test_what_is_asked_meanwhile_goes_with_the_next(carrier: Carrier) -> None:
    trips = Trips("test", carrier.carry)
    carrier.gate.clear()
    first = asyncio.create_task(trips.ask(1))
    await carrier.under_way.wait()
    later = [asyncio.create_task(trips.ask(n)) for n in (2, 3)]
    await asyncio.sleep(0)
    carrier.gate.set()
    assert [await task for task in (first, *later)] == [10, 20, 30]
    assert carrier.trips == [[1], [2, 3]]


async def test_a_trip_is_bounded(carrier: Carrier) -> None:
    trips = Trips("test", carrier.carry)
    await asked(trips, *range(TRIP + 6))
    assert [len(trip) for trip in carrier.trips] == [TRIP, 6]


async def test_each_is_told_its_own_refusal(carrier: Carrier) -> None:
    first, second, third = await asked(Trips("test", carrier.carry), 1, -1, 3)
    assert (first, third) == (10, 30)
    assert isinstance(second, StoreUnavailable)
    assert second.reason == "refused"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(StoreUnavailable("away"), "away"), (ZeroDivisionError(), "ZeroDivisionError")],
)
async def test_a_failed_trip_is_told_to_all_and_the_next_goes(
    carrier: Carrier, failure: Exception, reason: str
) -> None:
    trips = Trips("test", carrier.carry)
    carrier.failure = failure
    found = await asked(trips, 1, 2)
    assert [one.reason for one in found if isinstance(one, StoreUnavailable)] == [reason, reason]
    carrier.failure = None
    assert await trips.ask(3) == 30


async def test_a_trip_that_forgets_somebody_leaves_nobody_waiting() -> None:
    async def forgetful(trip: list[int]) -> list[int]:
        return trip[1:]

    found = await asked(Trips("test", forgetful), 1, 2)
    assert [type(one) for one in found] == [int, StoreUnavailable]


async def test_who_left_before_the_trip_is_not_asked_for(carrier: Carrier) -> None:
    trips = Trips("test", carrier.carry)
    gone = asyncio.create_task(trips.ask(1))
    await asyncio.sleep(0)
    gone.cancel()
    assert await trips.ask(2) == 20
    assert carrier.trips == [[2]]


async def test_what_is_told_to_nobody_is_handed_over(carrier: Carrier) -> None:
    unheard: list[int] = []
    trips = Trips("test", carrier.carry, unheard.append)
    carrier.gate.clear()
    gone, refused, stays = (asyncio.create_task(trips.ask(n)) for n in (1, -1, 3))
    await carrier.under_way.wait()
    gone.cancel()
    refused.cancel()
    carrier.gate.set()
    assert await stays == 30
    assert unheard == [10]


async def test_closing_tells_those_who_wait(carrier: Carrier) -> None:
    trips = Trips("test", carrier.carry)
    carrier.gate.clear()
    under_way = asyncio.create_task(trips.ask(1))
    await carrier.under_way.wait()
    waiting = asyncio.create_task(trips.ask(2))
    await asyncio.sleep(0)
    await trips.close()
    found = await asyncio.gather(under_way, waiting, return_exceptions=True)
    assert [type(one) for one in found] == [StoreUnavailable, StoreUnavailable]
    await trips.close()

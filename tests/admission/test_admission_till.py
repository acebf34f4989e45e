"""Reservations that share a call: each for itself all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from serve_app.admission.till import Outcome, Till
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.limits import Allowance, Lease, Need, Scope
from serve_app.store import keys
from serve_app.store.client import Call, Store
from serve_app.store.embedded import EmbeddedValkey

NEED = Need(input=10, output=20, cost_micro_usd=5)


class SlowWay(Store):
    """A store whose replies are held back on their way."""

    def __init__(self, url: str) -> None:
        super().__init__(RedisSettings(timeout_ms=5000), SystemClock(), url)
        self.done, self.may_return = asyncio.Event(), asyncio.Event()

    async def scripts(self, name: str, calls: Sequence[Call]) -> list[Any]:
        replies = await super().scripts(name, calls)
        self.done.set()
        await self.may_return.wait()
        return replies


class Desk:
    """A till, and which leases it was told are over."""

    def __init__(self, store: Store) -> None:
        self.over: list[Lease] = []
        self.till = Till(store, SystemClock(), 30.0, self.over.append)

    async def reserve(self, tenant: str, *scopes: Scope) -> Outcome:
        return await self.till.reserve(tenant, scopes, NEED)


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def scope(tenant: str, who: str, **limits: int) -> Scope:
    allowance = Allowance(**limits)
    names = keys.scope_state(tenant, [who]), keys.scope_holds(tenant, [who])
    return Scope(f"per {who}", *names, allowance, allowance.packed())


async def test_a_crowd_gets_what_there_is_and_no_more(desk: Desk) -> None:
    shared = scope("t", "tenant", requests=60, day=1000)
    users = [scope("t", f"user{n}", parallel=3) for n in range(40)]
    wishes = [desk.reserve("t", shared, users[n % 40]) for n in range(200)]
    outcomes = await asyncio.gather(*wishes)
    granted = [one for one in outcomes if one.lease is not None]
    refused = {one.refusal.limit for one in outcomes if one.refusal is not None}
    assert len(granted) == 60
    assert refused == {"requests"}
    [used] = await desk.till.look([shared])
    assert (used.requests, used.running, used.held) == (60, 60, 300)
    alone = await desk.till.look(users)
    assert sum(one.running for one in alone) == 60, "a refused request takes nothing anywhere"


async def test_each_is_told_of_its_own_scopes(desk: Desk) -> None:
    mine, yours = scope("t", "a", input=100), scope("t", "b", input=200, parallel=1)
    others = scope("u", "a", tokens=300)
    first, second, third, fourth = await asyncio.gather(
        desk.reserve("t", mine), desk.reserve("t", yours, mine), desk.reserve("u", others),
        desk.reserve("t", yours),
    )  # fmt: skip
    assert [used.input for used in first.used] == [20], "of all that were asked for with it"
    assert [(used.input, used.running) for used in second.used] == [(10, 1), (20, 0)]
    assert [used.tokens for used in third.used] == [30]
    assert fourth.refusal is not None
    assert (fourth.refusal.scope, fourth.refusal.limit) == (yours, "parallel")


async def test_limits_that_change_between_two_requests_hold_for_each(desk: Desk) -> None:
    before, after = scope("t", "a", requests=5), scope("t", "a", requests=1)
    outcomes = await asyncio.gather(
        desk.reserve("t", before), desk.reserve("t", after), desk.reserve("t", before)
    )
    assert [one.lease is not None for one in outcomes] == [True, False, True]
    [used] = await desk.till.look([before])
    assert used.requests == 2


async def test_whoever_leaves_gives_back_what_was_reserved(clean_valkey: EmbeddedValkey) -> None:
    store, mine = SlowWay(clean_valkey.url), scope("t", "a", parallel=5)
    desk = Desk(store)
    leaving = asyncio.create_task(desk.reserve("t", mine))
    staying = asyncio.create_task(desk.reserve("t", mine))
    await store.done.wait()
    leaving.cancel()
    store.may_return.set()
    outcome = await staying
    assert outcome.used[0].running == 2
    assert [lease.scopes for lease in desk.over] == [(mine,)], "for the ledger to settle"
    assert desk.till.open_leases == 1
    await store.close()

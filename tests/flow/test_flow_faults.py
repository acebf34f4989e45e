"""Every kind of fault of a provider, through a whole gateway in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from faults.kinds import FLAPPING, KEY_KINDS, KINDS, UNWANTED_KINDS, End, Kind
from faults.plays import Play, ask, first_models, played, plays, routes, second_models
from houses import Flow, Open, arguments, policy
from provider.answers import tale
from provider.fixtures import ScriptedProvider

FLAP = Play(FLAPPING, streams=True)
TIMEOUTS = {"connect_s": 2, "first_token_s": 2, "idle_s": 2, "total_s": 8}


def structure(base_url: str, all_plays: list[Play]) -> dict[str, Any]:
    [backend] = arguments(base_url)["backends"]
    backend["timeouts"] = TIMEOUTS
    first = {**backend, "name": "first", "models": first_models(all_plays)}
    second = {**backend, "name": "second", "models": second_models(all_plays)}
    return {"backends": [first, {**second, "quirks": {"prefix": "partial"}}]}


def rules(all_plays: list[Play], **more: Any) -> Any:
    routing = {"routes": routes(all_plays, "first", "second"), "default": ["first/plain"]}
    return policy(routing=routing, prices={}, **more)


@pytest.mark.parametrize("kind", [*KINDS, *KEY_KINDS], ids=lambda kind: kind.name)
async def test_a_fault_ends_as_it_must(
    open_flow: Open, provider: ScriptedProvider, kind: Kind
) -> None:
    """Streamed and not, at the same time: they have nothing to do with one another."""
    both = plays((kind,))
    async with (
        open_flow(structure(provider.base_url, both), rules(both)) as flow,
        asyncio.TaskGroup() as group,
    ):
        for play in both:
            group.create_task(played(flow.http, provider, play))


@pytest.fixture
async def house(open_flow: Open, provider: ScriptedProvider) -> AsyncIterator[Flow]:
    """One whose first candidate will flap."""
    async with open_flow(structure(provider.base_url, [FLAP]), rules([FLAP])) as opened:
        yield opened


async def test_policy_may_send_what_was_refused_to_the_next(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    next_one = End(1, 1)
    kinds = tuple(Kind(k.name, k.first, next_one, next_one) for k in UNWANTED_KINDS)
    rest = plays(kinds)
    elsewhere = rules(rest, execution={"on_content_refusal": "next"})
    async with open_flow(structure(provider.base_url, rest), elsewhere) as flow:
        for play in rest:
            await played(flow.http, provider, play)


async def test_a_primary_that_flaps_is_noticed_by_nobody(
    house: Flow, provider: ScriptedProvider
) -> None:
    """Twenty requests down, twenty up, in turns."""
    provider.script(FLAP.first, "tale+flap-20")
    provider.script(FLAP.second, "tale+partial")
    await _all_right(house, 200)


async def test_a_dead_primary_is_left_alone(house: Flow, provider: ScriptedProvider) -> None:
    """Two hundred requests in parallel: only the first ones find out that it is dead."""
    provider.script(FLAP.first, "status-503")
    provider.script(FLAP.second, "tale+partial")
    await _all_right(house, 200)
    asked = len(provider.log(FLAP.first))
    assert asked <= 40, f"asked {asked} times"


async def _all_right(house: Flow, requests: int, callers: int = 10) -> None:
    """So many requests, each of which must get the whole right answer."""
    numbers = iter(range(requests))

    async def caller() -> None:
        for number in numbers:
            question = f"question {number}"
            got = await ask(house.http, FLAP.name, question, stream=True)
            assert (got.text, got.is_done) == (tale(question), True), got

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())

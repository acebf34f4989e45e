"""Every kind of fault of a provider, over real Ray and HAProxy, on both placements."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter

import aiohttp
import pytest
from faults.kinds import FLAPPING, KINDS, Kind
from faults.plays import Play, ask, played, plays
from instances import Instance
from provider.answers import tale
from provider.fixtures import ScriptedProvider

pytestmark = [pytest.mark.graph, pytest.mark.timeout(700)]

FLAP_S = 60.0

_numbers = itertools.count()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_fault_ends_as_it_must(
    gateway: Instance, http: aiohttp.ClientSession, provider: ScriptedProvider, kind: Kind
) -> None:
    """Streamed and not, at the same time: they have nothing to do with one another."""
    here = [play for play in plays((kind,)) if play.streams or not kind.is_slow]
    async with asyncio.TaskGroup() as group:
        for play in here:
            group.create_task(played(http, provider, play))


async def test_a_primary_that_flaps_for_a_minute_is_noticed_by_nobody(
    gateway: Instance, http: aiohttp.ClientSession, provider: ScriptedProvider
) -> None:
    """Five seconds down, five up: every answer is right, and the primary is asked again."""
    play = Play(FLAPPING, streams=True)
    provider.script(play.first, "tale+flap-5000ms")
    provider.script(play.second, "tale+partial")
    ends: Counter[str] = Counter()
    stop_at = time.monotonic() + FLAP_S

    async def caller() -> None:
        while time.monotonic() < stop_at:
            question = f"flapping {next(_numbers)}"
            got = await ask(http, play.name, question, stream=True)
            right = (got.status, got.text, got.is_done) == (200, tale(question), True)
            ends["right" if right else f"wrong: {got}"] += 1
            await asyncio.sleep(0.05)

    await asyncio.gather(*(caller() for _ in range(4)))
    assert set(ends) == {"right"}
    answered = [e["at"] for e in provider.log(play.first) if e["behaviour"] == "tale+flap-5000ms"]
    last_up = answered[0] + FLAP_S - 15
    assert any(at > last_up for at in answered), "the primary was given up"

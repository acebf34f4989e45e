"""Lists of tools: looked up once for all who wait, kept for a while, failures briefly."""

from __future__ import annotations

import asyncio

import pytest

from serve_app.core.clock import FakeClock
from serve_app.core.tools import ToolSpec
from serve_app.tools.listings import Listings, ServerAway, Tools


class Server:
    """Lists one tool more each time, when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.why = ""

    async def look(self) -> Tools:
        self.asked += 1
        await self.may_answer.wait()
        if self.why:
            raise ServerAway(self.why)
        return tuple(ToolSpec(str(n)) for n in range(self.asked))


async def test_a_list_is_looked_up_once_and_kept_for_its_time() -> None:
    clock, server = FakeClock(), Server()
    listings = Listings(clock, ttl_s=60)
    waiting = [asyncio.create_task(listings.of("a", server.look)) for _ in range(5)]
    await asyncio.sleep(0)
    server.may_answer.set()
    assert {len(tools) for tools in await asyncio.gather(*waiting)} == {1}
    clock.advance(59)
    assert len(await listings.of("a", server.look)) == 1
    clock.advance(2)
    assert len(await listings.of("a", server.look)) == 2


async def test_who_leaves_while_looking_leaves_it_to_the_next() -> None:
    server = Server()
    listings = Listings(FakeClock(), ttl_s=60)
    first, second = (asyncio.create_task(listings.of("a", server.look)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    server.may_answer.set()
    assert len(await second) == 2


async def test_a_failure_is_remembered_for_a_moment() -> None:
    clock, server = FakeClock(), Server()
    server.may_answer.set()
    server.why = "away"
    listings = Listings(clock, ttl_s=60)
    for _ in range(3):
        with pytest.raises(ServerAway, match="away"):
            await listings.of("a", server.look)
    assert server.asked == 1
    server.why = ""
    clock.advance(6)
    assert len(await listings.of("a", server.look)) == 2


async def test_others_credentials_have_their_own_list_and_lists_are_bounded() -> None:
    server = Server()
    server.may_answer.set()
    listings = Listings(FakeClock(), ttl_s=60, most=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        await listings.of(key, server.look)
    assert server.asked == 4, "b was forgotten for c, and asked for again"

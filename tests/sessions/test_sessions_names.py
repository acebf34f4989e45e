"""What the placeholders of a session stand for: sealed, as long as the session, or not at all."""

from __future__ import annotations

import logging

import pytest
from redis import Redis

from serve_app.config.policy import ConversationPolicy
from serve_app.core.clock import SystemClock
from serve_app.core.screening import Names
from serve_app.core.types import Message
from serve_app.sessions.names import MOST_TURNS, KeptNames
from serve_app.sessions.seal import Seals
from serve_app.sessions.store import Conversations
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

POLICY = ConversationPolicy(ttl_s=3600)
KEY = "a key of some length"
ANN: Names = (("<EMAIL_1>", "ann@example.com"),)
BOB: Names = (("<EMAIL_2>", "bob@example.com"), ("<EMAIL_1>", "someone@else.com"))


class World:
    """Names that are kept with turns."""

    def __init__(self, store: Store, key: str = KEY) -> None:
        self.names = KeptNames(store, POLICY, Seals(key))
        self.conversations = Conversations(store, POLICY, SystemClock())

    async def add(self, names: Names, session: str = "s") -> None:
        sealed = self.names.sealed("t", session, names)
        await self.conversations.append("t", session, [Message("user", "hi")], names=sealed)


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


async def test_pairs_of_all_turns_come_back_and_the_first_of_a_name_counts(world: World) -> None:
    assert await world.names.load("t", "s") == ()
    await world.add(ANN)
    await world.add(BOB)
    assert await world.names.load("t", "s") == (*ANN, BOB[0])
    assert await world.names.load("t", "other") == await world.names.load("other", "s") == ()


async def test_values_are_sealed_and_end_with_the_session(
    world: World, clean_valkey: EmbeddedValkey
) -> None:
    await world.add(ANN)
    with Redis.from_url(clean_valkey.url) as client:
        name = keys.session_names("t", "s")
        [sealed] = client.lrange(name, 0, -1)
        assert b"ann" not in sealed
        assert b"EMAIL" not in sealed
        assert 0 < client.ttl(name) <= POLICY.ttl_s


async def test_another_key_or_place_opens_nothing(
    world: World, store: Store, clean_valkey: EmbeddedValkey, caplog: pytest.LogCaptureFixture
) -> None:
    await world.add(ANN)
    with caplog.at_level(logging.CRITICAL):
        assert await World(store, "another key as long as it").names.load("t", "s") == ()
        with Redis.from_url(clean_valkey.url) as client:
            [sealed] = client.lrange(keys.session_names("t", "s"), 0, -1)
            client.rpush(keys.session_names("t", "moved"), sealed, b"no cipher text")
        assert await world.names.load("t", "moved") == ()
    assert await world.names.load("t", "s") == ANN


async def test_names_come_along_to_a_fork(world: World) -> None:
    await world.add(ANN)
    await world.names.copy("t", "s", "fork")
    assert await world.names.load("t", "fork") == ANN


async def test_only_those_of_so_many_turns_are_kept(
    world: World, clean_valkey: EmbeddedValkey
) -> None:
    with Redis.from_url(clean_valkey.url) as client:
        client.rpush(keys.session_names("t", "s"), *["old"] * MOST_TURNS)
        await world.add(ANN)
        assert client.llen(keys.session_names("t", "s")) == MOST_TURNS


async def test_without_a_key_nothing_is_kept(store: Store, clean_valkey: EmbeddedValkey) -> None:
    world = World(store, "")
    await world.add(ANN)
    assert await world.names.load("t", "s") == ()
    with Redis.from_url(clean_valkey.url) as client:
        assert client.keys("*names*") == []

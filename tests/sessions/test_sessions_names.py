"""What the placeholders of a session stand for: sealed, as long as the session, or not at all."""

from __future__ import annotations

import logging

import pytest
from redis import Redis

from serve_app.config.structure import ConversationSettings
from serve_app.core.errors import PolicyRejected
from serve_app.core.types import Names
from serve_app.sessions.names import KeptNames
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

SETTINGS = ConversationSettings(ttl_s=3600, max_turns=3)
KEY = "a key of some length"
ANN: Names = (("<EMAIL_1>", "ann@example.com"),)
BOB: Names = (("<EMAIL_2>", "bob@example.com"), ("<EMAIL_1>", "someone@else.com"))


@pytest.fixture
def kept(store: Store) -> KeptNames:
    return KeptNames(store, SETTINGS, KEY)


async def test_pairs_of_all_turns_come_back_and_the_first_of_a_name_counts(kept: KeptNames) -> None:
    assert await kept.load("t", "s") == ()
    assert await kept.add("t", "s", ANN)
    assert await kept.add("t", "s", BOB)
    assert await kept.load("t", "s") == (*ANN, BOB[0])
    assert await kept.load("t", "other") == await kept.load("other", "s") == ()


async def test_values_are_sealed_and_end_with_the_session(
    kept: KeptNames, clean_valkey: EmbeddedValkey
) -> None:
    await kept.add("t", "s", ANN)
    with Redis.from_url(clean_valkey.url) as client:
        name = keys.session_names("t", "s")
        [sealed] = client.lrange(name, 0, -1)
        assert b"ann" not in sealed
        assert b"EMAIL" not in sealed
        assert 0 < client.ttl(name) <= SETTINGS.ttl_s


async def test_another_session_key_or_place_opens_nothing(
    kept: KeptNames, store: Store, clean_valkey: EmbeddedValkey, caplog: pytest.LogCaptureFixture
) -> None:
    await kept.add("t", "s", ANN)
    with caplog.at_level(logging.CRITICAL):
        assert await KeptNames(store, SETTINGS, "another key, as long").load("t", "s") == ()
        with Redis.from_url(clean_valkey.url) as client:
            [sealed] = client.lrange(keys.session_names("t", "s"), 0, -1)
            client.rpush(keys.session_names("t", "moved"), sealed, b"no cipher text")
        assert await kept.load("t", "moved") == ()
    assert await kept.load("t", "s") == ANN


async def test_only_so_many_turns_are_kept(kept: KeptNames) -> None:
    for number in range(5):
        await kept.add("t", "s", ((f"<EMAIL_{number}>", str(number)),))
    assert [value for _, value in await kept.load("t", "s")] == ["2", "3", "4"]


async def test_without_a_key_nothing_is_kept(store: Store, clean_valkey: EmbeddedValkey) -> None:
    kept = KeptNames(store, SETTINGS, "")
    assert not await kept.add("t", "s", ANN)
    assert await kept.load("t", "s") == ()
    with Redis.from_url(clean_valkey.url) as client:
        assert client.keys("*names*") == []


def test_a_short_key_is_refused(store: Store) -> None:
    with pytest.raises(PolicyRejected, match="SERVE_APP_SESSION_KEY"):
        KeptNames(store, SETTINGS, "short")

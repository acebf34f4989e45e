"""Sealed sessions, the secret that replicas share, and how often one may try."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from serve_app.config.structure import RedisSettings
from serve_app.console import cookie, seal
from serve_app.console.secret import FRESH_S
from serve_app.console.sessions import NoSecret, Sessions
from serve_app.console.tries import OF_ADDRESS, OF_ALL, WINDOW_S, Tries
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.core.visitor import Role
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

CLAIMS = seal.Claims("5e551071", "viewer", "0123456789ab", 2_000_000)
SECRET = b"s" * 32


@pytest.fixture
def away() -> Store:
    """A Redis that is not there."""
    return Store(RedisSettings(), SystemClock(), "redis://127.0.0.1:1")


def sessions(store: Store, clock: FakeClock, good: tuple[Role, ...] = ("admin",)) -> Sessions:
    return Sessions(store, clock, is_good=lambda role, _: role in good, lasts_s=3600)


def test_what_was_sealed_can_be_opened_with_the_same_secret_only() -> None:
    value = seal.seal(CLAIMS, SECRET)
    assert seal.opened(value, SECRET) == CLAIMS
    assert seal.opened(value, b"t" * 32) is None
    assert not set(value) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_nobody_makes_more_of_what_was_sealed() -> None:
    said, _, mac = seal.seal(CLAIMS, SECRET).partition(".")
    more = urlsafe_b64decode(said + "==").replace(b"viewer", b"admin")
    forged = urlsafe_b64encode(more).decode().rstrip("=")
    for value in (
        f"{forged}.{mac}",
        said,
        f"{said}.",
        f"{said}.{mac}x",
        f".{mac}",
        f"{said}={mac}",
    ):
        assert seal.opened(value, SECRET) is None


@given(st.text(max_size=200))
def test_nothing_else_can_be_opened(value: str) -> None:
    assert seal.opened(value, SECRET) is None


def test_the_word_of_a_session_is_no_seal() -> None:
    """What the page is told cannot be used to make a cookie."""
    word = seal.csrf(CLAIMS.id, SECRET)
    assert len(word) == 64
    assert word != seal.csrf("5e551072", SECRET)
    said = seal.seal(CLAIMS, SECRET).partition(".")[0]
    assert seal.opened(f"{said}.{word}", SECRET) is None


def test_a_cookie_is_found_among_others() -> None:
    header = "a=1; serve_app_console=plain;__Host-serve_app_console=bound; xserve_app_console=no"
    assert cookie.found(header, is_https=False) == "plain"
    assert cookie.found(header, is_https=True) == "bound"
    assert cookie.found("serve_app_console2=x; b", is_https=False) is None


async def test_a_session_lasts_as_long_as_it_should(store: Store) -> None:
    clock = FakeClock()
    open_ones = sessions(store, clock)
    value, opened = await open_ones.open("admin", "k")
    assert await open_ones.visitor(value) == opened
    clock.advance(3599)
    assert await open_ones.visitor(value) is not None
    clock.advance(1)
    assert await open_ones.visitor(value) is None


async def test_a_session_whose_key_is_good_no_more_is_over(store: Store) -> None:
    value, _ = await sessions(store, FakeClock()).open("admin", "k")
    assert await sessions(store, FakeClock(), good=("viewer",)).visitor(value) is None


async def test_without_redis_from_the_beginning_nothing_can_be_sealed(away: Store) -> None:
    alone = sessions(away, FakeClock())
    with pytest.raises(NoSecret):
        await alone.open("admin", "k")
    assert await alone.visitor(seal.seal(CLAIMS, SECRET)) is None


async def test_a_redis_that_lost_everything_ends_no_session(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    clock = FakeClock()
    one, other = sessions(store, clock), sessions(store, clock)
    value, _ = await one.open("admin", "k")
    with Redis.from_url(clean_valkey.url) as client:
        client.flushall()
    assert await one.visitor(value) is not None
    clock.advance(FRESH_S + 1)
    assert await one.visitor(value) is not None  # and it has put the secret back
    assert await other.visitor(value) is not None


async def test_replicas_come_to_one_secret(store: Store, clean_valkey: EmbeddedValkey) -> None:
    clock = FakeClock()
    one, other = sessions(store, clock), sessions(store, clock)
    await one.open("admin", "k")
    with Redis.from_url(clean_valkey.url) as client:
        client.flushall()
    value, _ = await other.open("admin", "k")
    clock.advance(FRESH_S + 1)
    assert await one.visitor(value) is not None


async def test_tries_of_all_are_bounded_too(store: Store) -> None:
    tries = Tries(store, FakeClock())
    waits = [await tries.take(f"10.0.0.{n}") for n in range(OF_ALL + 1)]
    assert not any(waits[:-1])
    assert 0 < waits[-1] <= WINDOW_S


async def test_tries_are_forgotten_by_redis_itself(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    tries = Tries(store, FakeClock())
    await tries.take("a")
    await tries.take("b")
    await tries.give_back("b")
    with Redis.from_url(clean_valkey.url) as client:
        lives = [client.pttl(name) for name in client.keys("*tries*")]
    assert len(lives) == 2
    assert all(0 < life <= WINDOW_S * 1000 for life in lives)


async def test_without_redis_each_replica_counts_for_itself(away: Store) -> None:
    clock = FakeClock()
    tries = Tries(away, clock)
    waits = [await tries.take("a") for _ in range(OF_ADDRESS + 1)]
    assert not any(waits[:-1])
    assert waits[-1] == WINDOW_S
    assert await tries.take("b") == 0
    await tries.give_back("a")
    assert await tries.take("a") == 0
    clock.advance(WINDOW_S)
    assert not any([await tries.take(str(n)) for n in range(OF_ALL)])
    assert await tries.take("one more") == WINDOW_S

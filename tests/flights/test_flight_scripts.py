"""What Redis decides: who leads, and what may still be said."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.flights.lease import flight_keys
from serve_app.store.client import Store

KEYS = flight_keys("t", "f", "origin")
LEASE, WANTED, LIST = KEYS


async def lead(store: Store, holder: str, then: str, known: int, *elements: bytes) -> Any:
    args = [holder, then, 3000, 10_000, known, *elements]
    return await store.script("flight_lead", KEYS, args)


async def hear(store: Store, known: int, take: str = "", limit: int = 100) -> Any:
    return await store.script("flight_hear", KEYS, [known, limit, 1000, take, 3000])


async def test_who_holds_the_lease_tells_and_renews(store: Store) -> None:
    await store.set(LEASE, b"one", 1.0)
    assert await lead(store, "one", "on", 0) == [0, 0, 0]
    assert await hear(store, 0) == [b"one", 0, 0, []]
    assert await lead(store, "one", "on", 0, b"b1", b"b2") == [1, 2, 0]
    assert await hear(store, 1) == [b"one", 2, 0, [b"b2"]]


async def test_who_does_not_hold_the_lease_says_nothing(store: Store) -> None:
    await store.set(LEASE, b"two", 1.0)
    for then in ("on", "leave", "over"):
        assert await lead(store, "one", then, 0, b"b1") == [-1, 0, 0]
    assert await store.get(LEASE) == b"two"
    assert await hear(store, 0) == [b"two", 0, 0, []]


async def test_what_does_not_follow_on_what_is_there_is_not_added(store: Store) -> None:
    await store.set(LEASE, b"one", 1.0)
    await lead(store, "one", "on", 0, b"b1")
    assert await lead(store, "one", "on", 0, b"b1") == [0, 1, 0]
    assert await lead(store, "one", "over", 2, b"b3", b"e") == [0, 1, 0]
    assert await store.get(LEASE) == b"one"
    assert await lead(store, "one", "over", 1, b"b2", b"e") == [0, 3, 1]
    assert await store.get(LEASE) is None


async def test_nothing_comes_after_the_mark(store: Store) -> None:
    await store.set(LEASE, b"one", 1.0)
    assert await lead(store, "one", "on", 0, b"b1", b"l") == [0, 2, 1]
    assert await lead(store, "one", "on", 2, b"b2") == [0, 2, 1]
    await store.delete(LEASE)
    assert await lead(store, "one", "on", 2) == [-1, 2, 1]
    assert await hear(store, 2, "two") == [b"", 2, 1, []]
    assert await store.get(WANTED) is None


async def test_a_lease_that_ran_out_is_taken_again_while_nobody_else_has(store: Store) -> None:
    assert await lead(store, "one", "on", 0, b"b1") == [0, 1, 0]
    assert await store.get(LEASE) == b"one"


async def test_only_who_knows_all_that_was_said_takes_over(store: Store) -> None:
    await lead(store, "one", "on", 0, b"b1", b"b2", b"b3")
    assert await hear(store, 3, "two") == [b"one", 3, 0, []]
    await store.delete(LEASE)
    assert await hear(store, 0, "two", limit=2) == [b"", 3, 0, [b"b1", b"b2"]]
    assert await hear(store, 0, "three") == [b"three", 3, 0, [b"b1", b"b2", b"b3"]]
    assert await hear(store, 3, "two") == [b"three", 3, 0, []]
    assert await lead(store, "one", "on", 3, b"b4") == [-1, 3, 0]


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_leader_leaves_only_if_nobody_wants_to_hear(store: Store, wanted: bool) -> None:
    await store.set(LEASE, b"one", 1.0)
    if wanted:
        await hear(store, 0)
    assert await lead(store, "one", "leave", 0) == [int(wanted), 0, 0]
    assert (await store.get(LEASE) is not None) == wanted


async def test_what_is_over_is_deleted_whatever_was_said(store: Store) -> None:
    await store.set(LEASE, b"one", 1.0)
    await lead(store, "one", "on", 0, b"b1")
    assert await lead(store, "one", "over", 0) == [0, 1, 0]
    assert await store.get(LEASE) is None


async def test_nothing_of_a_flight_is_kept_for_ever(store: Store) -> None:
    await hear(store, 0)
    await lead(store, "one", "on", 0, b"b1")
    lives = await store.pipeline([("PTTL", key) for key in KEYS])
    assert all(0 < left <= 10_000 for left in lives)

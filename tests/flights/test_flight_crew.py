"""Equal requests of several processes: one call; and what happens when its maker dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from flights.flight_calls import until
from flights.flight_crew import WORDS, CountedUpstream, Crewman, crew

from serve_app.store.embedded import EmbeddedValkey

TIMES = 10


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server that a test may kill."""
    server = EmbeddedValkey(tmp_path / "v")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def all_ended(men: list[Crewman]) -> bool:
    return all(len(man.ended) + len(man.failed) == TIMES for man in men)


def all_heard(men: list[Crewman], count: int) -> bool:
    return all(
        len(man.words) == TIMES and all(len(words) >= count for words in man.words.values())
        for man in men
    )


def assert_whole(men: list[Crewman]) -> None:
    for man in men:
        assert not man.failed
        assert list(man.words.values()) == [WORDS] * TIMES


def leader_of(men: list[Crewman], upstream: CountedUpstream) -> tuple[Crewman, list[Crewman]]:
    """Who made the call, and the others."""
    [name] = upstream.calls
    [leader] = [man for man in men if man.name == name]
    return leader, [man for man in men if man is not leader]


async def test_a_quick_answer_is_asked_for_once(clean_valkey: EmbeddedValkey) -> None:
    upstream = CountedUpstream(pause_before=0)
    upstream.go.set()
    async with upstream.open(), crew(clean_valkey.url, upstream) as men:
        for man in men:
            man.ask(TIMES)
        await until(lambda: all_ended(men))
        assert_whole(men)
        assert len(upstream.calls) == 1


async def test_a_long_answer_is_asked_for_once_and_streams_to_all(
    clean_valkey: EmbeddedValkey,
) -> None:
    upstream = CountedUpstream(pause_before=5)
    async with upstream.open(), crew(clean_valkey.url, upstream) as men:
        for man in men:
            man.ask(TIMES)
        await until(lambda: all_heard(men, 5))
        upstream.go.set()
        await until(lambda: all_ended(men))
        assert_whole(men)
        assert len(upstream.calls) == 1


async def test_when_the_leader_is_killed_one_follower_goes_on_for_all(
    clean_valkey: EmbeddedValkey,
) -> None:
    upstream = CountedUpstream(pause_before=5)
    async with upstream.open(), crew(clean_valkey.url, upstream) as men:
        for man in men:
            man.ask(TIMES)
        await until(lambda: all_heard(men, 5))
        leader, others = leader_of(men, upstream)
        leader.signal(signal.SIGKILL)
        upstream.go.set()
        await until(lambda: all_ended(others))
        assert_whole(others)
        assert len(upstream.calls) == 2
        assert upstream.said == [0, 5]


async def test_when_the_leader_is_killed_before_it_said_anything_another_asks(
    clean_valkey: EmbeddedValkey,
) -> None:
    upstream = CountedUpstream(pause_before=0)
    async with upstream.open(), crew(clean_valkey.url, upstream) as men:
        for man in men:
            man.ask(TIMES)
        await until(lambda: len(upstream.calls) == 1)
        leader, others = leader_of(men, upstream)
        leader.signal(signal.SIGKILL)
        upstream.go.set()
        await until(lambda: all_ended(others))
        assert_whole(others)
        assert len(upstream.calls) == 2


async def test_a_leader_that_hung_goes_on_for_its_own_only(clean_valkey: EmbeddedValkey) -> None:
    upstream = CountedUpstream(pause_before=5)
    async with upstream.open(), crew(clean_valkey.url, upstream) as men:
        for man in men:
            man.ask(TIMES)
        await until(lambda: all_heard(men, 5))
        leader, _ = leader_of(men, upstream)
        leader.signal(signal.SIGSTOP)
        await until(lambda: len(upstream.calls) == 2)
        leader.signal(signal.SIGCONT)
        upstream.go.set()
        await until(lambda: all_ended(men))
        assert_whole(men)
        assert upstream.said == [0, 5]


async def test_when_redis_dies_every_request_still_ends(own_valkey: EmbeddedValkey) -> None:
    upstream = CountedUpstream(pause_before=5)
    async with upstream.open(), crew(own_valkey.url, upstream) as men:
        for man in men:
            man.ask(TIMES)
        await until(lambda: all_heard(men, 5))
        assert own_valkey.pid is not None
        os.kill(own_valkey.pid, signal.SIGKILL)
        await until(lambda: len(upstream.calls) == 3)
        upstream.go.set()
        await until(lambda: all_ended(men))
        assert_whole(men)
        assert sorted(upstream.said) == [0, 5, 5]


async def test_a_redis_that_hangs_holds_nobody_up_for_long(own_valkey: EmbeddedValkey) -> None:
    upstream = CountedUpstream(pause_before=5)
    async with upstream.open(), crew(own_valkey.url, upstream) as men:
        for man in men:
            man.ask(TIMES)
        await until(lambda: all_heard(men, 5))
        assert own_valkey.pid is not None
        os.kill(own_valkey.pid, signal.SIGSTOP)
        try:
            await until(lambda: len(upstream.calls) == 3)
            upstream.go.set()
            await until(lambda: all_heard(men, len(WORDS)))
        finally:
            os.kill(own_valkey.pid, signal.SIGCONT)
        await until(lambda: all_ended(men))
        assert_whole(men)

"""Breakers and figures of several replicas over a real Valkey."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from vitals_replica import BACKEND, MODEL, Replica, exchange, replicas, until

from serve_app.core.vital import Headroom
from serve_app.store import keys
from serve_app.store.embedded import EmbeddedValkey
from serve_app.vitals.breaker import OPEN_S
from serve_app.vitals.sharing import FIGURES_S

LEASE = keys.probe(BACKEND, MODEL)

# ------------------------------------------------------------------------- breakers


async def test_an_opening_and_a_closing_reach_the_others(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 3) as (one, two, three):
        one.fail()
        await exchange(one, two, three)
        assert [replica.breaker.is_open for replica in (one, two, three)] == [True] * 3
        assert OPEN_S - 5 < two.breaker.left_s() <= OPEN_S
        two.pass_time(OPEN_S)
        assert await two.may_try()
        two.breaker.succeeded()
        await exchange(two, one, three)
        assert [replica.breaker.is_open for replica in (one, two, three)] == [False] * 3


async def test_one_that_starts_later_hears_of_it(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.breaker.rest(60.0)
        await exchange(one, two)
        assert not await two.may_try()


async def test_the_longer_of_two_rests_holds(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 3) as (one, two, three):
        one.breaker.rest(60.0)
        two.breaker.rest(20.0)
        await exchange(one, two, three, one)
        for replica in (one, two, three):
            assert 50.0 < replica.breaker.left_s() <= 60.0
        two.breaker.rest(100.0)
        await exchange(two, one, three)
        for replica in (one, two, three):
            assert 90.0 < replica.breaker.left_s() <= 100.0


async def test_a_late_opening_does_not_undo_a_closing(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.fail()
        await exchange(one)
        one.breaker.succeeded()
        await exchange(one)
        two.fail()  # of the same outage, before it heard of its end
        await exchange(two, one)
        assert (one.breaker.is_open, two.breaker.is_open) == (False, False)
        two.fail()
        await exchange(two, one)
        assert (one.breaker.is_open, two.breaker.is_open) == (True, True)


async def test_an_answer_counts_more_than_a_failure_told_meanwhile(
    clean_valkey: EmbeddedValkey,
) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.fail()
        await exchange(one, two)
        two.breaker.failed()  # one that was under way
        await exchange(two)
        one.breaker.succeeded()
        await exchange(one, two)
        assert (one.breaker.is_open, two.breaker.is_open) == (False, False)


async def test_what_changes_during_an_exchange_is_told_by_the_next(
    clean_valkey: EmbeddedValkey,
) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.fail()
        telling = asyncio.create_task(one.sharing.exchange())
        await until(lambda: not one.breaker.is_news, 0)
        one.breaker.succeeded()
        assert await telling
        assert not one.breaker.is_open
        await exchange(two)
        assert two.breaker.is_open
        await exchange(one, two)
        assert (one.breaker.is_open, two.breaker.is_open) == (False, False)


async def test_a_cancelled_exchange_loses_nothing(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.fail()
        telling = asyncio.create_task(one.sharing.exchange())
        await until(lambda: not one.breaker.is_news, 0)
        telling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await telling
        await exchange(one, two)
        assert two.breaker.is_open


async def test_an_opening_of_long_ago_is_not_told(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.fail()
        one.pass_time(OPEN_S)  # Redis was away for so long
        await exchange(one, two)
        assert not two.breaker.is_open
        assert await one.may_try()
        one.breaker.succeeded()
        await exchange(one, two)
        assert (one.breaker.is_open, two.breaker.is_open) == (False, False)


async def test_a_redis_that_lost_everything_is_told_anew(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.fail()
        await exchange(one, two)
        one.breaker.succeeded()
        await exchange(one, two)
        with Redis.from_url(clean_valkey.url) as client:
            client.flushall()
        one.fail()
        await exchange(one, two)
        assert two.breaker.is_open
        one.breaker.succeeded()
        await exchange(one, two)
        assert not two.breaker.is_open


ACTS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from(["fail", "rest", "succeed", "exchange", "pass time"])
    ),
    max_size=25,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ACTS)
def test_whatever_happens_all_agree_in_the_end(
    clean_valkey: EmbeddedValkey, acts: list[tuple[int, str]]
) -> None:
    async def act(replica: Replica, what: str) -> None:
        if what == "fail":
            replica.fail()
        elif what == "rest":
            replica.breaker.rest(30.0)
        elif what == "succeed":
            replica.breaker.succeeded()
        elif what == "pass time":
            await exchange(replica)  # exchanges are far more frequent than rests are long
            replica.pass_time(OPEN_S)
        else:
            await exchange(replica)

    async def play() -> None:
        async with replicas(clean_valkey.url, 3) as all_:
            for at, what in acts:
                await act(all_[at], what)
            await exchange(*all_)
            await exchange(*all_)
            assert len({replica.breaker.is_open for replica in all_}) == 1
            assert not any(replica.breaker.is_news for replica in all_)

    with Redis.from_url(clean_valkey.url) as client:
        client.flushall()
    asyncio.run(play())


# --------------------------------------------------------------------------- probes


async def test_of_all_replicas_one_probes_and_the_others_wait(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 4) as all_:
        all_[0].fail()
        await exchange(*all_)
        for replica in all_:
            replica.pass_time(OPEN_S)
        asked = await asyncio.gather(*(replica.may_try() for replica in all_ for _ in range(5)))
        assert sum(asked) == 1
        [prober] = [all_[at // 5] for at, may in enumerate(asked) if may]
        for replica in all_:
            replica.pass_time(2.0)
            assert not await replica.may_try()
        prober.breaker.succeeded()
        await exchange(prober, *all_)
        assert all([await replica.may_try() for replica in all_])


async def test_a_probe_that_failed_is_followed_by_one_after_the_rest(
    clean_valkey: EmbeddedValkey,
) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.fail()
        await exchange(one, two)
        one.pass_time(OPEN_S)
        assert await one.may_try()
        one.breaker.failed()
        two.pass_time(OPEN_S)
        await exchange(one, two)
        assert not await two.may_try()
        two.pass_time(OPEN_S)
        assert await two.may_try()


async def test_a_prober_that_vanishes_is_followed_by_another(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.fail()
        await exchange(one, two)
        one.pass_time(OPEN_S)
        two.pass_time(OPEN_S)
        assert await one.may_try()
        assert not await two.may_try()
        [left_ms] = await two.store.pipeline([("PTTL", LEASE)])
        assert 0 < left_ms <= OPEN_S * 1000
        await two.store.delete(LEASE)  # as it does by itself
        two.pass_time(2.0)
        assert await two.may_try()


async def test_a_caller_that_leaves_while_asking_keeps_no_probe(
    clean_valkey: EmbeddedValkey,
) -> None:
    async with replicas(clean_valkey.url, 1) as [one]:
        one.fail()
        one.pass_time(OPEN_S)
        asking = asyncio.create_task(one.may_try())
        await until(lambda: one.breaker.left_s() > 0, 0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await one.may_try()
        assert not await one.may_try()


async def test_a_closed_breaker_asks_nobody(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 1) as [one]:
        with Redis.from_url(clean_valkey.url) as client:
            client.config_resetstat()
            assert all([await one.may_try() for _ in range(100)])
            assert client.info("commandstats").keys() <= {"cmdstat_config|resetstat"}


# -------------------------------------------------------------------------- figures


async def test_figures_of_all_are_one_reading(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 3) as (one, two, reader):
        for replica, seconds in ((one, 1.0), (two, 3.0)):
            for _ in range(3):
                replica.vital.began()
            replica.vital.first_token(seconds)
            replica.vital.ended(ok=replica is one, seconds=2.0, tokens=100)
        two.vital.headroom = Headroom(7, resets_in_s=30.0)
        await exchange(one, two, reader, one)
        for replica in (one, two, reader):
            reading = replica.vital.reading()
            assert (reading.running, reading.samples) == (4, 2)
            assert reading.first_token_p50_s == pytest.approx(2.0)
            assert reading.error_rate == pytest.approx(0.5)
            assert reading.tokens_per_s == pytest.approx(50.0)
            assert reading.headroom == Headroom(7, resets_in_s=30.0)


async def test_who_only_reads_tells_nothing(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 2) as (one, reader):
        one.vital.began()
        await exchange(one, reader)
        assert reader.vital.reading().running == 1
        assert await reader.store.pipeline([("HKEYS", keys.vitals("figures"))]) == [[b"replica-0"]]


async def test_a_replica_that_stops_takes_its_figures_along(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.sharing.start()
        one.vital.began()
        await exchange(one, two)
        assert two.vital.reading().running == 1
        await one.sharing.close()
        await exchange(two)
        assert two.vital.reading().running == 0


async def test_a_dead_replicas_figures_are_dropped(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.vital.began()
        await exchange(one, two)
        assert two.vital.reading().running == 1
        with Redis.from_url(clean_valkey.url) as client:
            figures = keys.vitals("figures")
            said = client.hget(figures, "replica-0")
            assert isinstance(said, bytes)
            died_at = int(said[:13]) - int(FIGURES_S * 1000) - 1
            client.hset(figures, "replica-0", b"%013d" % died_at + said[13:])
            await exchange(two)
            assert two.vital.reading().running == 0
            assert not client.hexists(figures, "replica-0")


async def test_what_a_replica_of_another_version_says_is_left_out(
    clean_valkey: EmbeddedValkey,
) -> None:
    async with replicas(clean_valkey.url, 2) as (one, two):
        one.vital.began()
        await exchange(one)
        with Redis.from_url(clean_valkey.url) as client:
            newer = msgspec.msgpack.encode(["a", "format", "of", "tomorrow"])
            client.hset(keys.vitals("figures"), "tomorrow", b"9" * 13 + newer)
            said = client.hget(keys.vitals("figures"), "replica-0")
            assert isinstance(said, bytes)
            client.hset(keys.vitals("figures"), "other", said[:13] + b"\xc1garbage")
        await exchange(two)
        assert two.vital.reading().running == 1


# ----------------------------------------------------------------- in the background


async def test_a_change_reaches_all_by_itself(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 3, real_time=True) as all_:
        for replica in all_:
            replica.sharing.start()
        all_[0].fail()
        await until(lambda: all(replica.breaker.is_open for replica in all_))
        all_[2].breaker.succeeded()
        await until(lambda: not any(replica.breaker.is_open for replica in all_))
        all_[1].vital.away = "the key was refused"
        await until(lambda: all(replica.vital.reading().away for replica in all_))


async def test_closing_ends_the_task(clean_valkey: EmbeddedValkey) -> None:
    async with replicas(clean_valkey.url, 1, real_time=True) as [one]:
        one.sharing.start()
        one.sharing.start()
        await one.sharing.close()
        await one.sharing.close()
        assert "vitals" not in {task.get_name() for task in asyncio.all_tasks()}


# --------------------------------------------------------------------- without Redis


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server that a test may kill."""
    server = EmbeddedValkey(tmp_path / "v")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def kill(server: EmbeddedValkey) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()


async def test_without_redis_each_acts_on_what_it_sees(own_valkey: EmbeddedValkey) -> None:
    async with replicas(own_valkey.url, 2) as (one, two):
        kill(own_valkey)
        assert not await one.sharing.exchange()
        one.fail()
        assert not await one.may_try()
        assert await two.may_try()
        one.pass_time(OPEN_S)
        assert [await one.may_try() for _ in range(3)] == [True, False, False]
        one.breaker.succeeded()
        assert await one.may_try()


async def test_without_redis_the_others_figures_are_forgotten(own_valkey: EmbeddedValkey) -> None:
    async with replicas(own_valkey.url, 2) as (one, two):
        one.vital.began()
        await exchange(one, two)
        kill(own_valkey)
        assert not await two.sharing.exchange()
        assert two.vital.reading().running == 1
        two.pass_time(FIGURES_S + 1)
        assert not await two.sharing.exchange()
        assert two.vital.reading().running == 0


async def test_a_redis_killed_in_mid_run_is_found_again(
    own_valkey: EmbeddedValkey, caplog: pytest.LogCaptureFixture
) -> None:
    async with replicas(own_valkey.url, 3, real_time=True) as all_:
        for replica in all_:
            replica.sharing.start()
        one, two, three = all_
        one.vital.began()
        await until(lambda: three.vital.reading().running == 1)
        kill(own_valkey)
        await until(lambda: all(replica.store.is_open for replica in all_))
        two.fail()
        one.vital.began()
        own_valkey.start()
        await until(lambda: all(replica.breaker.is_open for replica in all_))
        await until(lambda: three.vital.reading().running == 2)
        # The store says once that Redis is away and once that it is back; nobody else does.
        lines = [record.getMessage() for record in caplog.records]
        assert all("Redis" in line for line in lines)
        assert len(lines) <= 2 * len(all_)

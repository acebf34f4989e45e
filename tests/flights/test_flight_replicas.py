"""Flights of several replicas on one Redis, in one process so that a test can play every turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from flights.flight_calls import Upstream, read_all, read_next, until
from flights.flight_replica import FINGERPRINT, TENANT, Replica, replicas
from redis import Redis

from serve_app.core.clock import FakeClock
from serve_app.core.errors import RateLimited, UpstreamFailed
from serve_app.flights.base import Call
from serve_app.flights.seat import Seat
from serve_app.store import keys
from serve_app.store.embedded import EmbeddedValkey

LEASE = keys.flight_lease(TENANT, FINGERPRINT)


@pytest.fixture
async def pair(clean_valkey: EmbeddedValkey) -> AsyncIterator[list[Replica]]:
    async with replicas(clean_valkey.url, 2) as made:
        yield made


@pytest.fixture
def redis(clean_valkey: EmbeddedValkey) -> Redis:
    with Redis.from_url(clean_valkey.url) as client:
        return client


async def seat_of(replica: Replica, upstream: Upstream) -> Seat:
    call: Call = await replica.seat(upstream.launch)
    assert isinstance(call, Seat)
    return call


async def test_hundreds_of_requests_on_three_replicas_are_one_call(
    clean_valkey: EmbeddedValkey,
) -> None:
    upstream = Upstream()
    async with replicas(clean_valkey.url, 3) as made:
        asking = [
            asyncio.create_task(made[at % 3].ask(upstream.launch)) for at in range(500)
        ]  # fmt: skip
        call = await upstream.launched()
        call.say("a")
        # Others come all the while: between the lookups, the end and the fill too.
        for _ in range(20):
            asking.append(asyncio.create_task(made[len(asking) % 3].ask(upstream.launch)))
            await asyncio.sleep(0.02)
        upstream.answer("b")
        for _ in range(100):
            asking.append(asyncio.create_task(made[len(asking) % 3].ask(upstream.launch)))
            await asyncio.sleep(0.002)
        answers = await asyncio.gather(*asking)
    assert answers == [["a", "b"]] * 620
    assert len(upstream.calls) == 1


async def test_a_follower_hears_what_is_said_as_it_is_said(pair: list[Replica]) -> None:
    one, two = pair
    upstream = Upstream()
    lead, follower = await seat_of(one, upstream), await seat_of(two, upstream)
    call = await upstream.launched()
    for word in "abc":
        call.say(word)
        assert await read_next(follower) == word
    await follower.begun()
    assert (follower.heading.backend, follower.heading.model) == ("hosted", "m")
    call.end()
    assert await read_all(follower) == []
    assert follower.outcome.completion_tokens == 3
    assert (lead.leads, follower.leads, follower.fills) == (True, False, False)
    assert await read_all(lead) == ["a", "b", "c"]


async def test_a_follower_finds_a_quick_answer_in_the_cache(pair: list[Replica]) -> None:
    one, two = pair
    upstream = Upstream()
    asking = asyncio.create_task(one.ask(upstream.launch))
    await upstream.launched()
    follower = await seat_of(two, upstream)
    upstream.answer("a", "b")
    assert await asking == ["a", "b"]
    assert await read_all(follower) == ["a", "b"]
    assert len(upstream.calls) == 1


async def test_an_answer_that_is_not_kept_reaches_its_followers(
    pair: list[Replica], redis: Redis
) -> None:
    one, two = pair
    upstream = Upstream(repeatable=False)
    lead, follower = await seat_of(one, upstream), await seat_of(two, upstream)
    await until(lambda: redis.exists(keys.flight_wanted(TENANT, FINGERPRINT)) == 1)
    await upstream.launched()
    upstream.answer("a", "b")
    assert await read_all(lead) == ["a", "b"]
    assert await read_all(follower) == ["a", "b"]
    await until(lambda: redis.exists(LEASE) == 0)
    assert len(upstream.calls) == 1


async def test_a_failure_reaches_the_followers(pair: list[Replica], redis: Redis) -> None:
    one, two = pair
    upstream = Upstream()
    upstream.refusal = RateLimited("slow down", param="model", code="x", retry_after_s=3)
    lead, follower = await seat_of(one, upstream), await seat_of(two, upstream)
    await until(lambda: redis.exists(keys.flight_wanted(TENANT, FINGERPRINT)) == 1)
    for seat in (lead, follower):
        with pytest.raises(RateLimited) as caught:
            await seat.begun()
        assert (caught.value.message, caught.value.param) == ("slow down", "model")
        assert (caught.value.code, caught.value.retry_after_s) == ("x", 3)
    await until(lambda: redis.exists(LEASE) == 0)


async def test_a_failure_in_the_middle_reaches_the_followers(pair: list[Replica]) -> None:
    one, two = pair
    upstream = Upstream()
    lead, follower = await seat_of(one, upstream), await seat_of(two, upstream)
    call = await upstream.launched()
    call.say("a")
    assert await read_next(follower) == "a"
    call.end(UpstreamFailed("broke off", code="stream_interrupted"))
    with pytest.raises(UpstreamFailed, match="broke off"):
        await read_all(follower)
    with pytest.raises(UpstreamFailed, match="broke off"):
        await read_all(lead)
    assert len(upstream.calls) == 1


# ------------------------------------------------------------------------- who leaves


async def test_a_call_goes_on_for_followers_when_its_own_callers_left(pair: list[Replica]) -> None:
    one, two = pair
    upstream = Upstream()
    lead, follower = await seat_of(one, upstream), await seat_of(two, upstream)
    call = await upstream.launched()
    call.say("a")
    assert await read_next(follower) == "a"
    await lead.aclose()
    assert not call.is_closed
    call.say("b")
    assert await read_next(follower) == "b"
    await follower.aclose()
    await until(lambda: call.is_closed)
    assert len(upstream.calls) == 1


async def test_a_leader_that_gives_up_unheard_leaves_it_to_a_follower(pair: list[Replica]) -> None:
    one, two = pair
    first, second = Upstream(), Upstream()
    lead = await seat_of(one, first)
    await first.launched()
    await lead.aclose()
    follower = await seat_of(two, second)
    await second.launched()
    second.answer("a")
    assert await read_all(follower) == ["a"]
    assert follower.leads


async def test_a_replica_that_stops_leaves_its_flights_to_the_followers(
    clean_valkey: EmbeddedValkey,
) -> None:
    first, second = Upstream(), Upstream()
    async with replicas(clean_valkey.url, 3) as [one, *others]:
        await seat_of(one, first)
        followers = [await seat_of(other, second) for other in others]
        call = await first.launched()
        call.say("a")
        assert [await read_next(follower) for follower in followers] == ["a", "a"]
        await one.flights.close(1.0)
        went_on = await second.launched()
        assert [batch[0].choices[0].delta.content for batch in went_on.said] == ["a"]
        second.answer("b")
        assert [await read_all(follower) for follower in followers] == [["b"], ["b"]]
        assert len(second.calls) == 1
        assert sorted(follower.leads for follower in followers) == [False, True]


# ------------------------------------------------------------------------- bounds


async def test_an_answer_too_long_to_tell_is_made_again_where_nobody_has_any_of_it(
    clean_valkey: EmbeddedValkey,
) -> None:
    first, second = Upstream(), Upstream()
    async with replicas(clean_valkey.url, 2, max_bytes=300) as [one, two]:
        lead, follower = await seat_of(one, first), await seat_of(two, second)
        words = ["x" * 100, "y" * 100, "z" * 100]
        reading = asyncio.create_task(read_all(lead))
        call = await first.launched()
        call.say(*words)
        await second.launched()
        assert second.calls[0].said == []
        second.answer(*words)
        assert await read_all(follower) == words
        call.end()
        assert await reading == words


async def test_an_answer_that_grew_too_long_is_gone_on_with(clean_valkey: EmbeddedValkey) -> None:
    first, second = Upstream(), Upstream()
    async with replicas(clean_valkey.url, 2, max_bytes=300) as [one, two]:
        lead, follower = await seat_of(one, first), await seat_of(two, second)
        call = await first.launched()
        reading = asyncio.create_task(read_all(lead))
        call.say("x" * 100)
        assert await read_next(follower) == "x" * 100
        call.say("y" * 100, "z" * 100)
        went_on = await second.launched()
        said = [batch[0].choices[0].delta.content for batch in went_on.said]
        rest = ["y" * 100, "z" * 100][len(said) - 1 :]
        second.answer(*rest)
        assert await read_all(follower) == ["y" * 100, "z" * 100]
        call.end()
        await reading


# ------------------------------------------------------------------------- leases


async def test_a_flight_that_is_soon_over_costs_redis_nothing(
    clean_valkey: EmbeddedValkey, redis: Redis
) -> None:
    clock = FakeClock()
    replica = Replica("one", clean_valkey.url, clock=clock)
    replica.flights.start()
    upstream = Upstream()
    redis.config_resetstat()
    seat = replica.flights.lead(
        TENANT, FINGERPRINT, upstream.launch, holder=replica.flights.new_holder()
    )
    await upstream.launched()
    upstream.answer("a")
    assert await read_all(seat) == ["a"]
    replica.flights.landed(TENANT, FINGERPRINT, kept=True)
    clock.advance(10)
    await asyncio.sleep(0.15)  # three times as long as anything waits to be told
    assert not [name for name in redis.info("commandstats") if "eval" in name]
    await replica.close()


async def test_a_lease_lives_as_long_as_its_flight(pair: list[Replica], redis: Redis) -> None:
    one, _ = pair
    upstream = Upstream()
    lead = await seat_of(one, upstream)
    await upstream.launched()
    redis.pexpire(LEASE, 400)
    await until(lambda: redis.pttl(LEASE) > 2000)
    upstream.answer("a")
    assert await read_all(lead) == ["a"]
    one.flights.landed(TENANT, FINGERPRINT, kept=False)
    await until(lambda: redis.exists(LEASE) == 0)


async def test_a_lease_of_which_no_flight_came_is_given_back(
    pair: list[Replica], redis: Redis
) -> None:
    one, _ = pair
    redis.set(LEASE, "mine")
    one.flights.release(TENANT, FINGERPRINT, "another's")
    one.flights.release(TENANT, FINGERPRINT, "mine")
    await until(lambda: redis.exists(LEASE) == 0)


async def test_a_follower_whose_leader_is_in_its_own_process_joins_it(
    pair: list[Replica], redis: Redis
) -> None:
    """Replies to lookups may come in another order than Redis gave them."""
    one, _ = pair
    first, second = Upstream(), Upstream()
    leads = await seat_of(one, first)
    await leads.aclose()
    holder = one.flights.new_holder()
    await one.store.set(LEASE, holder.encode(), 3.0)
    early = one.flights.follow(TENANT, FINGERPRINT, second.launch)
    lead = one.flights.lead(TENANT, FINGERPRINT, first.launch, holder=holder)
    await until(lambda: bool(first.calls) and first.calls[-1].said == [])
    first.answer("a")
    assert await read_all(lead) == ["a"]
    assert await read_all(early) == ["a"]
    assert not second.calls
    assert not redis.keys("*:batches:*")  # it was not told by way of Redis


async def test_who_leads_what_is_under_way_joins_it_and_gives_its_lease_back(
    pair: list[Replica], redis: Redis
) -> None:
    one, _ = pair
    upstream = Upstream()
    lead = one.flights.lead(TENANT, FINGERPRINT, upstream.launch, holder="")
    redis.set(LEASE, "mine")
    other = one.flights.lead(TENANT, FINGERPRINT, upstream.launch, holder="mine")
    await until(lambda: redis.exists(LEASE) == 0)
    upstream.answer("a")
    assert [await read_all(lead), await read_all(other)] == [["a"], ["a"]]
    assert len(upstream.calls) == 1


async def test_a_renewal_that_comes_after_the_landing_leaves_no_lease(
    pair: list[Replica], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.flights.lease.LEASE_MS", 60_000)
    one, _ = pair
    upstream = Upstream()
    lead = await seat_of(one, upstream)
    await upstream.launched()
    redis.client_pause(1500, all=False)  # scripts that write wait
    await until(lambda: any("b" in client["flags"] for client in redis.client_list()))
    upstream.answer("a")
    assert await read_all(lead) == ["a"]
    one.flights.landed(TENANT, FINGERPRINT, kept=True)
    redis.client_unpause()
    await until(lambda: redis.exists(LEASE) == 0)


async def test_what_redis_lost_is_told_again(pair: list[Replica], redis: Redis) -> None:
    one, two = pair
    upstream = Upstream()
    lead, follower = await seat_of(one, upstream), await seat_of(two, upstream)
    call = await upstream.launched()
    call.say("a")
    assert await read_next(follower) == "a"
    redis.delete(*redis.keys("*:batches:*"))
    call.say("b")
    assert await read_next(follower) == "b"
    call.end()
    assert await read_all(follower) == []
    assert await read_all(lead) == ["a", "b"]
    assert len(upstream.calls) == 1


async def test_a_flight_that_another_one_replaced_is_gone_on_with(
    pair: list[Replica], redis: Redis
) -> None:
    one, two = pair
    first, second = Upstream(), Upstream()
    lead, follower = await seat_of(one, first), await seat_of(two, second)
    (await first.launched()).say("a")
    assert await read_next(follower) == "a"
    redis.set(LEASE, "somebody.else", px=60_000)
    went_on = await second.launched()
    assert len(went_on.said) == 1
    second.answer("b")
    assert await read_all(follower) == ["b"]
    first.answer("b")
    assert await read_all(lead) == ["a", "b"]
    assert redis.get(LEASE) == b"somebody.else"

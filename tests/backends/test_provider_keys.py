"""Keys used in turn, each with its own standing; the provider is real HTTP where it matters."""

from __future__ import annotations

import logging

import pytest
from backend_calls import ANSWER, MakeHosted, fail, run, text_of
from backend_desk import Desk
from key_ring import MODEL, Ring, limited, refused, settings, spent
from provider.fixtures import ScriptedProvider

from serve_app.backends.base import FULL, AttemptFailed
from serve_app.backends.keys import COOL_S, MAX_COOL_S, QUOTA_REST_S, SECOND_CHANCE_S, ProviderKeys
from serve_app.backends.refusal import AUTH
from serve_app.core.clock import FakeClock
from serve_app.core.errors import PolicyRejected

# ----------------------------------------------------------------- in turn


def test_keys_are_used_in_turn() -> None:
    assert Ring("A", "B", "C").taken(4) == ["sk-a", "sk-b", "sk-c", "sk-a"]


def test_a_key_named_twice_is_one_key() -> None:
    environ = {"A": "same", "B": " same\n"}
    keys = ProviderKeys(settings("A", "B", "GONE"), environ, FakeClock())
    assert repr(keys) == "ProviderKeys('test', 1 keys)"


def test_a_provider_without_keys_is_called_without_one() -> None:
    assert Ring().keys.take(MODEL) is None
    assert not Ring().keys.are_refused


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "sk-\x00", "schlüssel"])
def test_a_key_that_no_header_may_hold_is_refused_by_its_name(key: str) -> None:
    with pytest.raises(PolicyRejected, match="THE_KEY") as caught:
        ProviderKeys(settings("THE_KEY"), {"THE_KEY": key}, FakeClock())
    assert key not in str(caught.value)


# ----------------------------------------------------------------- limited


def test_a_limit_cools_only_its_key_and_another_goes_at_once() -> None:
    ring = Ring("A", "B")
    assert ring.judge(limited(30.0)).retry_after_s == 0.0
    assert ring.taken(3) == ["sk-b", "sk-b", "sk-b"]
    ring.clock.advance(30.0)
    assert sorted(ring.taken(2)) == ["sk-a", "sk-b"]


def test_a_limit_is_that_of_one_model() -> None:
    ring = Ring("A")
    ring.judge(limited(30.0), "one")
    assert ring.take("other") == "sk-a"
    assert ring.none_left("one").retry_after_s == 30.0


def test_with_every_key_limited_the_wait_is_that_for_the_first() -> None:
    ring = Ring("A", "B")
    ring.judge(limited(30.0))
    assert ring.judge(limited(20.0)).retry_after_s == 20.0
    ring.clock.advance(5.0)
    failed = ring.none_left()
    assert (failed.kind, failed.status, failed.code) == ("transient", 429, FULL)
    assert failed.retry_after_s == 15.0


def test_the_longer_of_two_limits_wins() -> None:
    ring = Ring("A")
    key = ring.keys.take(MODEL)
    ring.keys.judge(key, MODEL, limited(30.0))
    ring.keys.judge(key, MODEL, limited(10.0))
    assert ring.none_left().retry_after_s == 30.0


def test_no_key_is_left_alone_for_longer_than_the_bound() -> None:
    ring = Ring("A")
    ring.judge(limited(86_400.0))
    assert ring.none_left().retry_after_s == MAX_COOL_S


def test_without_a_wish_others_go_first_but_a_single_key_still_goes() -> None:
    ring = Ring("A", "B")
    assert ring.judge(limited()).retry_after_s == 0.0
    assert ring.taken(2) == ["sk-b", "sk-b"]
    assert ring.judge(limited()).retry_after_s is None
    assert ring.take()
    ring.clock.advance(COOL_S)
    assert sorted(ring.taken(2)) == ["sk-a", "sk-b"]


def test_other_failures_say_nothing_about_the_key() -> None:
    ring = Ring("A", "B")
    down = AttemptFailed("transient", "down", status=503, retry_after_s=9.0)
    assert ring.judge(down) is down
    assert sorted(ring.taken(2)) == ["sk-a", "sk-b"]


# ----------------------------------------------------------------- refused, spent


def test_a_refused_key_stays_out_and_is_reported_once_by_its_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ring = Ring("A", "B")
    key = ring.keys.take(MODEL)
    with caplog.at_level(logging.ERROR):
        failed = ring.keys.judge(key, MODEL, refused())
        ring.keys.judge(key, MODEL, refused())
    assert (failed.kind, failed.status, failed.retry_after_s) == ("transient", 401, 0.0)
    ring.clock.advance(1e6)
    assert ring.taken(2) == ["sk-b", "sk-b"]
    [record] = caplog.records
    assert "key in A" in record.message
    assert "sk-" not in record.message
    assert ring.keys.trouble() == "1 of 2 keys refused"


def test_with_every_key_refused_nobody_is_called() -> None:
    ring = Ring("A", "B")
    ring.judge(refused())
    failed = ring.judge(refused())
    assert (failed.kind, failed.code) == ("candidate", AUTH)
    ring.clock.advance(SECOND_CHANCE_S - 1)
    assert (ring.none_left().kind, ring.none_left().code) == ("candidate", AUTH)
    assert ring.keys.are_refused


def test_with_the_others_limited_a_refusal_says_when_the_first_is_free() -> None:
    ring = Ring("A", "B")
    ring.judge(limited(7.0))
    failed = ring.judge(refused())
    assert (failed.kind, failed.retry_after_s) == ("transient", 7.0)


def test_a_key_without_money_rests_long_for_every_model() -> None:
    ring = Ring("A", "B")
    assert ring.judge(spent()).retry_after_s == 0.0
    assert [ring.take("other") for _ in range(2)] == ["sk-b", "sk-b"]
    assert ring.judge(spent()).kind == "candidate"
    assert ring.none_left().retry_after_s == QUOTA_REST_S
    assert ring.keys.trouble() == "2 of 2 keys limited"
    ring.clock.advance(QUOTA_REST_S)
    assert ring.taken(2)


# ----------------------------------------------------------------- over HTTP


async def test_the_next_key_answers_after_a_limit(
    make_hosted: MakeHosted, provider: ScriptedProvider
) -> None:
    backend = make_hosted(keys=("sk-limited", "sk-good"))
    failed = await fail(backend, "keys-retry-after-60")
    assert (failed.status, failed.retry_after_s) == (429, 0.0)
    for _ in range(3):
        assert text_of(await run(backend, "keys-retry-after-60")) == ANSWER
    used = [entry["key"] for entry in provider.log()]
    assert used == ["sk-limited", "sk-good", "sk-good", "sk-good"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_key_is_not_sent_again(
    make_hosted: MakeHosted, provider: ScriptedProvider, stream: bool
) -> None:
    backend = make_hosted(keys=("sk-refused",))
    for _ in range(3):
        failed = await fail(backend, "keys", stream=stream)
        assert (failed.kind, failed.code) == ("candidate", AUTH)
    assert len(provider.log()) == 1
    health = await backend.health()
    assert not health.ok
    assert "1 of 1 keys refused" in health.detail


async def test_one_key_of_many_refused_leaves_the_backend_well(make_hosted: MakeHosted) -> None:
    backend = make_hosted(keys=("sk-refused", "sk-good"))
    assert (await fail(backend, "keys")).retry_after_s == 0.0
    await run(backend, "keys")
    health = await backend.health()
    assert (health.ok, health.detail) == (True, "1 of 2 keys refused")


@pytest.mark.parametrize("bad", ["sk-limited", "sk-refused"])
async def test_a_request_is_answered_with_the_next_key_without_a_pause(
    make_hosted: MakeHosted, provider: ScriptedProvider, bad: str
) -> None:
    model = "keys-retry-after-60"
    desk = Desk(make_hosted("first", keys=(bad, "sk-good")), make_hosted("second"))
    text, answer = await desk.answer(f"first/{model}", "second/ok")
    assert (text, answer.candidate.backend) == (ANSWER, "first")
    assert not any(desk.pauses)
    assert [entry["key"] for entry in provider.log(model)] == [bad, "sk-good"]


async def test_with_every_key_refused_the_next_candidate_answers(make_hosted: MakeHosted) -> None:
    desk = Desk(make_hosted("first", keys=("sk-refused",)), make_hosted("second"))
    for _ in range(2):
        _, answer = await desk.answer("first/keys", "second/ok")
        assert answer.candidate.backend == "second"


def test_a_refused_key_without_another_gets_a_second_chance() -> None:
    clock = FakeClock()
    keys = ProviderKeys(settings("K"), {"K": "sk-1"}, clock)
    no = AttemptFailed("candidate", "no", status=401, code=AUTH)
    keys.judge(keys.take(MODEL), MODEL, no)
    clock.advance(SECOND_CHANCE_S - 1)
    with pytest.raises(AttemptFailed):
        keys.take(MODEL)
    clock.advance(1)
    key = keys.take(MODEL)
    with pytest.raises(AttemptFailed):  # one call at a time
        keys.take(MODEL)
    keys.worked(key)
    assert keys.take(MODEL) is key
    assert not keys.are_refused

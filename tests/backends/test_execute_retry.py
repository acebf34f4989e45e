"""How often and after which pause a candidate is asked again, and who is asked instead."""

from __future__ import annotations

import random
from typing import Any

import pytest
from backend_peers import Peer, Stage, broke, candidate, fails, says, silence, text_of

from serve_app.backends.base import FULL, AttemptFailed, FailureKind
from serve_app.backends.refusal import AUTH, CONTENT, CONTEXT
from serve_app.backends.retry import (
    BACKOFF_S,
    FLOOR_PER_S,
    MAX_BACKOFF_S,
    MAX_SAVED,
    WINDOW_S,
    RetryBudget,
    pause_s,
)
from serve_app.core.clock import FakeClock
from serve_app.core.errors import BadRequest, GatewayError, NotFound, Overloaded, UpstreamFailed
from serve_app.vitals.breaker import FAILURES

WELL = says(["Yes."])


def limited(after_s: float | None) -> AttemptFailed:
    return AttemptFailed("transient", "slow down", status=429, retry_after_s=after_s)


async def failure(stage: Stage, *plan: Any, **how: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await stage.start(*plan, **how)
    assert stage.running() == 0
    return caught.value


# ------------------------------------------------------------------ the budget


def drawn(budget: RetryBudget) -> int:
    count = 0
    while budget.withdraw():
        count += 1
    return count


def test_some_retries_are_always_there() -> None:
    clock = FakeClock()
    budget = RetryBudget(clock)
    assert drawn(budget) == FLOOR_PER_S * WINDOW_S
    clock.advance(2.0)
    assert drawn(budget) == 2 * FLOOR_PER_S
    clock.advance(1000.0)
    assert drawn(budget) == FLOOR_PER_S * WINDOW_S


def test_requests_save_up_a_share_of_a_retry_each() -> None:
    budget = RetryBudget(FakeClock())
    drawn(budget)
    for _ in range(50):
        budget.deposit(0.2)
    assert drawn(budget) in (9, 10)
    for _ in range(10_000):
        budget.deposit(1.0)
    assert drawn(budget) == MAX_SAVED


async def test_when_everything_fails_retries_stay_a_share() -> None:
    peer = Peer("a", fails(broke()))
    stage = Stage(peer)
    plan = [candidate("a", model=f"m{n}") for n in range(50)]
    for _ in range(4):  # 200 candidates fail once; no breaker opens
        rules = {"retry_share": 0.0, "max_attempts": 50}
        for one in plan:
            await failure(stage, one, rules=rules)
    floor = FLOOR_PER_S * WINDOW_S + FLOOR_PER_S * sum(stage.pauses)
    assert len(stage.pauses) == len(peer.calls) - 200
    assert len(stage.pauses) <= floor


# ------------------------------------------------------------------ pauses


def test_pauses_grow_are_spread_and_end() -> None:
    rng = random.Random(1)
    for retry in range(8):
        mean = min(BACKOFF_S * 2**retry, MAX_BACKOFF_S)
        pauses = [pause_s(rng, retry, None) for _ in range(50)]
        assert 0.5 * mean <= min(pauses) < max(pauses) <= 1.5 * mean
        assert len(set(pauses)) == 50
    assert pause_s(rng, 0, 3.0) > 3.0
    assert pause_s(rng, 0, 0.0) == 0.0


async def test_retries_are_as_many_as_the_rules_say() -> None:
    peer = Peer("a", fails(broke()))
    stage = Stage(peer)
    await failure(stage, candidate("a"), rules={"retries": 3})
    assert len(peer.calls) == 4
    assert [round(pause / BACKOFF_S / 2**n) for n, pause in enumerate(stage.pauses)] == [1, 1, 1]
    none = Peer("a", fails(broke()))
    await failure(Stage(none), candidate("a"), rules={"retries": 0})
    assert len(none.calls) == 1


@pytest.mark.parametrize(("after_s", "who", "pauses"), [(4.0, "a", 1), (6.0, "b", 0)])
async def test_a_wish_for_a_pause_is_honoured_or_the_next_is_asked(
    after_s: float, who: str, pauses: int
) -> None:
    stage = Stage(Peer("a", fails(limited(after_s)), WELL), Peer("b", WELL))
    _, answer = await stage.drain(candidate("a"), candidate("b"))
    assert (answer.candidate.backend, len(stage.pauses)) == (who, pauses)
    assert all(after_s < pause < after_s + 0.2 for pause in stage.pauses)
    assert stage.vitals.of("a", "m-a").breaker.is_open == (who == "b")


async def test_a_wish_that_does_not_fit_the_deadline_goes_to_the_next() -> None:
    stage = Stage(Peer("a", fails(limited(4.0)), WELL), Peer("b", WELL))
    _, answer = await stage.drain(candidate("a"), candidate("b"), within_s=4.0)
    assert (answer.candidate.backend, stage.pauses) == ("b", [])


async def test_another_key_is_tried_at_once() -> None:
    peer = Peer("a", fails(limited(0.0)), WELL)
    stage = Stage(peer)
    _, answer = await stage.drain(candidate("a"))
    assert (answer.attempts, stage.pauses) == (2, [])


async def test_another_key_is_tried_even_when_nobody_else_is_left() -> None:
    refused = AttemptFailed("transient", "no", status=401, code=AUTH, retry_after_s=0.0)
    stage = Stage(Peer("a", fails(limited(0.0)), fails(refused), WELL))
    _, answer = await stage.drain(candidate("a"))
    assert (answer.attempts, stage.pauses) == (3, [])
    assert not stage.vitals.of("a", "m-a").breaker.is_open


async def test_when_all_failed_the_earliest_pause_is_waited_for() -> None:
    stage = Stage(Peer("a", fails(limited(40.0))), Peer("b", fails(limited(20.0)), WELL))
    chunks, answer = await stage.drain(candidate("a"), candidate("b"))
    assert (text_of(chunks), answer.candidate.backend, answer.attempts) == ("Yes.", "b", 3)
    [pause] = stage.pauses
    assert 20.0 <= pause <= 22.5  # a rest is spread a little
    assert stage.outcomes() == ["transient", "transient", "answered"]


async def test_it_is_waited_for_only_once() -> None:
    peer = Peer("a", fails(limited(20.0)))
    stage = Stage(peer)
    error = await failure(stage, candidate("a"))
    assert isinstance(error, Overloaded)
    assert (len(peer.calls), len(stage.pauses)) == (2, 1)


async def test_a_full_backend_is_left_for_the_next_at_once() -> None:
    full = AttemptFailed("transient", "full", status=503, code=FULL, retry_after_s=1.0)
    stage = Stage(Peer("a", fails(full)), Peer("b", WELL))
    _, answer = await stage.drain(candidate("a"), candidate("b"))
    assert (answer.candidate.backend, stage.pauses) == ("b", [])
    alone = Stage(Peer("a", fails(full), WELL))
    _, answer = await alone.drain(candidate("a"))
    assert (answer.attempts, [1.0 <= pause <= 1.1 for pause in alone.pauses]) == (2, [True])


async def test_attempts_are_bounded_over_all_candidates() -> None:
    peers = [Peer(name, fails(broke())) for name in "abcde"]
    stage = Stage(*peers)
    error = await failure(stage, *[candidate(n) for n in "abcde"], rules={"max_attempts": 3})
    assert [len(peer.calls) for peer in peers] == [1, 1, 1, 0, 0]
    assert error.message.split("\n")[-2:] == [
        "d/m-d: not asked, 3 attempts were made",
        "e/m-e: not asked, 3 attempts were made",
    ]


async def test_a_retry_never_takes_the_turn_of_who_was_not_asked_yet() -> None:
    peers = [Peer(name, fails(broke())) for name in "abc"]
    stage = Stage(*peers)
    await failure(stage, *[candidate(n) for n in "abc"], rules={"max_attempts": 4})
    assert [len(peer.calls) for peer in peers] == [2, 1, 1]


# ------------------------------------------------------------------ by class


async def test_a_silent_backend_is_not_asked_again() -> None:
    silent, other = Peer("a", fails(silence()), WELL), Peer("b", WELL)
    stage = Stage(silent, other)
    plan = candidate("a"), candidate("a", model="another"), candidate("b")
    _, answer = await stage.drain(*plan)
    assert (answer.candidate.backend, len(silent.calls), stage.pauses) == ("b", 1, [])
    assert stage.trail.notes[1].facts["why"] == "its backend was silent before"


def too_long() -> AttemptFailed:
    return AttemptFailed("candidate", "5000 tokens", status=400, code=CONTEXT, param="messages")


async def test_a_prompt_too_long_goes_to_a_larger_context_and_never_to_the_same_model() -> None:
    peers = [Peer(name, WELL) for name in "bcd"]
    stage = Stage(Peer("a", fails(too_long())), *peers)
    _, answer = await stage.drain(
        candidate("a", model="x"),
        candidate("b", model="x", context=9999),
        candidate("c", context=4096),
        candidate("d", context=8192),
    )
    assert answer.candidate.backend == "d"
    assert [len(peer.calls) for peer in peers] == [0, 0, 1]


async def test_a_prompt_too_long_for_all_is_the_callers_matter() -> None:
    stage = Stage(Peer("a", fails(too_long())), Peer("b", WELL))
    error = await failure(stage, candidate("a"), candidate("b"))
    assert isinstance(error, BadRequest)
    assert (error.message, error.code, error.param) == ("5000 tokens", CONTEXT, "messages")


async def test_a_prompt_too_long_beside_a_larger_one_that_fails_is_not() -> None:
    stage = Stage(Peer("a", fails(too_long())), Peer("b", fails(broke())))
    error = await failure(stage, candidate("a"), candidate("b", context=9999))
    assert isinstance(error, UpstreamFailed)


def unwanted(word: str) -> AttemptFailed:
    return AttemptFailed("content", f"{word} is not allowed", status=400, code=CONTENT)


async def test_a_content_refusal_goes_back_with_the_providers_reason() -> None:
    other = Peer("b", WELL)
    stage = Stage(Peer("a", fails(unwanted("this"))), other)
    error = await failure(stage, candidate("a"), candidate("b"))
    assert isinstance(error, BadRequest)
    assert (error.message, error.code) == ("this is not allowed", "content_policy_violation")
    assert (other.calls, stage.pauses) == ([], [])
    assert not stage.vitals.of("a", "m-a").reading().error_rate


async def test_a_content_refusal_goes_on_if_policy_says_so() -> None:
    rules = {"on_content_refusal": "next"}
    stage = Stage(Peer("a", fails(unwanted("this"))), Peer("b", WELL))
    _, answer = await stage.drain(candidate("a"), candidate("b"), rules=rules)
    assert answer.candidate.backend == "b"
    nobody = Stage(Peer("a", fails(unwanted("this"))), Peer("b", fails(unwanted("that"))))
    error = await failure(nobody, candidate("a"), candidate("b"), rules=rules)
    assert (error.code, error.message) == ("content_policy_violation", "this is not allowed")


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequest), (404, NotFound), (422, BadRequest)]
)
async def test_the_callers_fault_goes_straight_back(status: int, kind: type[GatewayError]) -> None:
    other = Peer("b", WELL)
    stage = Stage(Peer("a", fails(AttemptFailed("caller", "no", status=status))), other)
    assert type(await failure(stage, candidate("a"), candidate("b"))) is kind
    assert (other.calls, stage.outcomes()) == ([], ["caller"])


async def test_a_refused_key_takes_the_backend_out_for_everybody() -> None:
    refused = AttemptFailed(
        "candidate", "the provider refused our credentials", status=401, code=AUTH
    )
    peer, other = Peer("a", fails(refused)), Peer("b", WELL)
    stage = Stage(peer, other)
    for _ in range(3):
        _, answer = await stage.drain(candidate("a"), candidate("b"))
        assert answer.candidate.backend == "b"
    assert len(peer.calls) == 1
    alone = Stage(Peer("a", fails(refused)))
    error = await failure(alone, candidate("a"))
    assert (error.status, "a/m-a: the provider refused our credentials" in error.message) == (
        502,
        True,
    )


# ------------------------------------------------------------------ the breaker


async def test_when_all_are_left_alone_they_are_asked_only_as_often_as_retries() -> None:
    peer = Peer("a", fails(broke()))
    stage = Stage(peer)
    breaker = stage.vitals.of("a", "m-a").breaker
    for _ in range(FAILURES):
        breaker.failed()
    errors = [await failure(stage, candidate("a"), rules={"retry_share": 0.1}) for _ in range(200)]
    saved = FLOOR_PER_S * WINDOW_S + 0.1 * 200
    assert len(peer.calls) in (saved - 1, saved, saved + 1)
    last = errors[-1]
    assert isinstance(last, Overloaded)
    assert last.retry_after_s is not None
    assert 1.0 <= last.retry_after_s <= 11.0


async def test_one_that_rests_is_asked_rather_than_nobody() -> None:
    stage = Stage(Peer("a", fails(silence())), Peer("b", WELL))
    stage.vitals.of("b", "m-b").breaker.rest(60.0)
    _, answer = await stage.drain(candidate("a"), candidate("b"))
    assert answer.candidate.backend == "b"
    assert stage.outcomes() == ["transient", "skipped", "answered"]


async def test_one_success_brings_a_backend_back() -> None:
    peer = Peer("a", WELL)
    stage = Stage(peer, Peer("b", WELL))
    breaker = stage.vitals.of("a", "m-a").breaker
    breaker.rest(10.0)
    _, answer = await stage.drain(candidate("a"), candidate("b"))
    assert answer.candidate.backend == "b"
    stage.clock.advance(12.0)
    answer = await stage.start(candidate("a"), candidate("b"))
    assert answer.candidate.backend == "a"
    assert not breaker.is_open  # with its first content, however long the stream may be
    await answer.chunks.aclose()


async def test_a_bug_in_a_backend_costs_that_backend_the_request_and_not_the_caller() -> None:
    async def buggy(call: Any) -> Any:
        raise KeyError("choices")
        yield []

    async def buggy_later(call: Any) -> Any:
        async for batch in says(["Yes"])(call):
            yield batch
            raise KeyError("choices")

    kinds: list[FailureKind] = ["transient"]
    stage = Stage(Peer("a", buggy), Peer("b", WELL))
    chunks, _ = await stage.drain(candidate("a"), candidate("b"), rules={"retries": 0})
    assert text_of(chunks) == "Yes."
    assert stage.outcomes() == [*kinds, "answered"]
    assert stage.trail.notes[0].facts["why"] == "KeyError in the backend"
    later = Stage(Peer("a", buggy_later), Peer("b", WELL))
    chunks, _ = await later.drain(candidate("a"), candidate("b"))
    assert text_of(chunks) == "Yes."

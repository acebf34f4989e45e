"""What happens to a stream that breaks off after its first content."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from backend_calls import ANSWER, MakeHosted, collect
from backend_calls import text_of as text_in
from backend_desk import Desk
from backend_peers import (
    Peer,
    Stage,
    broke,
    candidate,
    chunk,
    fails,
    hangs,
    says,
    sends,
    silence,
    text_of,
    usage,
)
from provider.fixtures import ScriptedProvider

from serve_app.backends.base import AttemptFailed
from serve_app.backends.refusal import CONTEXT
from serve_app.backends.retry import FLOOR_PER_S, WINDOW_S
from serve_app.core.errors import UpstreamFailed
from serve_app.core.types import Chunk

WHOLE = "The quick brown fox jumps over the lazy dog and runs away into the deep wood."
PIECES = [f"{word} " for word in WHOLE.split(" ")]
PIECES[-1] = PIECES[-1].strip()
SAID = PIECES[:7]
REST = PIECES[7:]


def cut(name: str = "a") -> Peer:
    return Peer(name, says(SAID, broke()))


async def interrupted(stage: Stage, *plan: Any, **how: Any) -> tuple[str, UpstreamFailed]:
    """The text that went out, and the error that ended it."""
    answer = await stage.start(*plan, **how)
    seen: list[Chunk] = []

    async def read() -> None:
        async for batch in answer.chunks:
            seen.extend(batch)

    with pytest.raises(UpstreamFailed) as caught:
        await read()
    await answer.chunks.aclose()
    assert caught.value.code == "stream_interrupted"
    assert stage.running() == 0
    return text_of(seen), caught.value


# ------------------------------------------------------------------ continuing


async def test_a_candidate_that_takes_a_beginning_goes_on_from_it() -> None:
    other = Peer("b", says([" ", *REST], id_="new"))
    stage = Stage(cut(), other)
    chunks, answer = await stage.drain(candidate("a"), candidate("b", prefix=True))
    assert text_of(chunks) == WHOLE
    assert other.calls[0].prefix == "".join(SAID).rstrip()
    assert (answer.candidate.backend, answer.attempts, answer.recovered) == ("b", 2, True)
    assert stage.outcomes() == ["answered", "interrupted", "recovered"]


async def test_the_caller_sees_one_answer_and_not_two() -> None:
    stage = Stage(cut(), Peer("b", says([" ", *REST], id_="new", then=[usage(30, 8, "new")])))
    chunks, _ = await stage.drain(candidate("a"), candidate("b", prefix=True))
    raws = [msgspec.json.decode(c.raw) for c in chunks]
    assert {c.id for c in chunks} == {raw["id"] for raw in raws} == {"old"}
    roles = [c for raw in raws for c in raw["choices"] if "role" in c["delta"]]
    assert len(roles) == 1
    assert all(raw.get("other", 1) == 1 for raw in raws)  # what we do not know stays
    assert "".join(c["delta"].get("content", "") for r in raws for c in r["choices"]) == WHOLE


async def test_usage_is_that_of_one_answer() -> None:
    stage = Stage(cut(), Peer("b", says([" ", *REST], then=[usage(100, 9)])))
    chunks, _ = await stage.drain(candidate("a"), candidate("b", prefix=True))
    [counted] = [c.usage for c in chunks if c.usage is not None]
    given = len("".join(SAID).rstrip())  # a character is a token here
    assert (counted.prompt_tokens, counted.completion_tokens) == (100 - given, 9 + given)
    assert counted.total_tokens == 109
    [raw] = [msgspec.json.decode(c.raw) for c in chunks if c.usage is not None]
    assert raw["usage"]["completion_tokens"] == 9 + given


async def test_prompt_tokens_never_fall_below_nothing() -> None:
    stage = Stage(cut(), Peer("b", says([" ", *REST], then=[usage(3, 9)])))
    chunks, _ = await stage.drain(candidate("a"), candidate("b", prefix=True))
    [counted] = [c.usage for c in chunks if c.usage is not None]
    assert counted.prompt_tokens == 0
    assert counted.total_tokens == counted.completion_tokens


async def test_what_was_delivered_before_is_there_to_be_billed() -> None:
    stage = Stage(cut(), Peer("b", says([" ", *REST[:2]], broke()), says(REST[2:])))
    _, answer = await stage.drain(
        candidate("a"), candidate("b", prefix=True), text="12345", rules={"max_recoveries": 2}
    )
    spent = [(b.candidate.backend, b.completion_tokens, b.prompt_tokens) for b in answer.broken]
    assert spent == [("a", len("".join(SAID)), 5), ("b", len("".join(REST[:2])), 5)]


async def test_no_more_is_said_than_was_asked_for() -> None:
    other = Peer("b", says(REST))
    stage = Stage(cut(), other)
    await stage.drain(candidate("a"), candidate("b", prefix=True), max_tokens=100)
    assert other.bodies()[0]["max_tokens"] == 100 - len("".join(SAID).rstrip())


async def test_the_same_candidate_goes_on_first_if_it_can() -> None:
    same = Peer("a", says(SAID, broke()), says(REST))
    other = Peer("b", says(REST))
    stage = Stage(same, other)
    chunks, answer = await stage.drain(candidate("a", prefix=True), candidate("b", prefix=True))
    assert text_of(chunks) == WHOLE
    assert (answer.candidate.backend, len(other.calls)) == ("a", 0)


async def test_a_silent_candidate_is_not_asked_to_go_on() -> None:
    same, other = Peer("a", says(SAID, silence())), Peer("b", says(REST))
    stage = Stage(same, other)
    chunks, answer = await stage.drain(
        candidate("a", prefix=True),
        candidate("a", prefix=True, model="another"),
        candidate("b", prefix=True),
    )
    assert text_of(chunks) == WHOLE
    assert (answer.candidate.backend, len(same.calls)) == ("b", 1)


async def test_an_earlier_candidate_that_was_passed_over_may_go_on() -> None:
    first = Peer("a", says(REST))
    stage = Stage(first, Peer("b", says(SAID, silence())))
    breaker = stage.vitals.of("a", "m-a").breaker
    breaker.rest(5.0)
    answer = await stage.start(candidate("a", prefix=True), candidate("b"))
    chunks = list(await anext(answer.chunks))
    breaker.succeeded()
    chunks += [c async for batch in answer.chunks for c in batch]
    assert (text_of(chunks), answer.candidate.backend) == (WHOLE, "a")


async def test_one_that_failed_before_is_not_asked_to_go_on() -> None:
    first = Peer("a", fails(AttemptFailed("candidate", "no such model", status=403)))
    stage = Stage(first, Peer("b", says(SAID, silence())))
    text, error = await interrupted(stage, candidate("a", prefix=True), candidate("b"))
    assert (text, len(first.calls)) == ("".join(SAID), 1)
    assert "nothing came" in error.message


async def test_a_refused_beginning_is_never_the_last_word() -> None:
    refused = AttemptFailed("caller", "no assistant prefill here", status=400, param="messages")
    other = Peer("b", fails(refused), says(PIECES))
    stage = Stage(cut(), other)
    chunks, answer = await stage.drain(candidate("a"), candidate("b", prefix=True))
    assert text_of(chunks) == WHOLE
    assert [call.prefix != "" for call in other.calls] == [True, False]
    assert answer.candidate.backend == "b"
    nobody = Stage(Peer("a", says(SAID, silence())), Peer("b", fails(refused)))
    _, error = await interrupted(nobody, candidate("a"), candidate("b", prefix=True))
    first, *lines = error.message.split("\n")
    assert first.startswith("the answer of a/m-a broke off: nothing came for 1 s")
    assert [line.partition(" (")[0] for line in lines] == [
        "b/m-b: no assistant prefill here",
        "b/m-b: no assistant prefill here",
    ]


async def test_a_candidate_that_ignores_the_beginning_is_checked_off() -> None:
    other = Peer("b", says(PIECES, then=[usage(30, 16)]))
    stage = Stage(cut(), other)
    chunks, _ = await stage.drain(candidate("a"), candidate("b", prefix=True))
    assert text_of(chunks) == WHOLE
    [counted] = [c.usage for c in chunks if c.usage is not None]
    assert (counted.prompt_tokens, counted.completion_tokens) == (30, 16)  # as it said


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "T"}]},
    ],
)
async def test_no_beginning_is_handed_over_where_it_would_begin_anew(
    fields: dict[str, Any],
) -> None:
    other = Peer("b", says(PIECES))
    stage = Stage(cut(), other)
    chunks, _ = await stage.drain(candidate("a"), candidate("b", prefix=True), **fields)
    assert text_of(chunks) == WHOLE
    assert [call.prefix for call in other.calls] == [""]


async def test_one_that_rests_goes_on_rather_than_nobody() -> None:
    resting = Peer("b", says(REST))
    stage = Stage(Peer("a", says(SAID, silence())), resting)
    stage.vitals.of("b", "m-b").breaker.rest(60.0)
    chunks, answer = await stage.drain(candidate("a"), candidate("b", prefix=True))
    assert (text_of(chunks), answer.candidate.backend) == (WHOLE, "b")


async def test_those_that_rest_are_not_overrun() -> None:
    resting = Peer("b", fails(broke()))
    stage = Stage(Peer("a", says(SAID, silence())), resting)
    vital = stage.vitals.of("b", "m-b")
    rules = {"retry_share": 0.0}
    for _ in range(100):
        vital.breaker.rest(60.0)
        stage.vitals.of("a", "m-a").breaker.succeeded()
        _, error = await interrupted(
            stage, candidate("a"), candidate("b", prefix=True), rules=rules
        )
    assert len(resting.calls) == FLOOR_PER_S * WINDOW_S
    assert "b/m-b: not asked, it failed too often lately" in error.message


async def test_one_that_is_down_for_a_moment_is_tried_again() -> None:
    same = Peer("a", says(SAID, broke()), fails(broke()), says(REST))
    stage = Stage(same)
    chunks, answer = await stage.drain(candidate("a", prefix=True))
    assert (text_of(chunks), answer.attempts) == (WHOLE, 3)
    assert [0.05 <= pause <= 0.15 for pause in stage.pauses] == [True]
    assert stage.outcomes() == ["answered", "interrupted", "transient", "recovered"]


# ------------------------------------------------------------------ beginning anew


async def test_others_begin_anew_and_what_was_sent_is_checked_off() -> None:
    other = Peer("b", says([WHOLE[:3], WHOLE[3:50], WHOLE[50:]], then=[usage(5, 16)]))
    stage = Stage(cut(), other)
    chunks, answer = await stage.drain(candidate("a"), candidate("b"))
    assert text_of(chunks) == WHOLE
    [counted] = [c.usage for c in chunks if c.usage is not None]
    assert (counted.prompt_tokens, counted.completion_tokens) == (5, 16)
    assert answer.candidate.backend == "b"
    assert other.calls[0].prefix == ""


async def test_nothing_of_a_text_that_departs_goes_out() -> None:
    stage = Stage(Peer("a", says(SAID, silence())), Peer("b", says([*SAID[:-1], "other words"])))
    text, error = await interrupted(stage, candidate("a"), candidate("b"))
    assert text == "".join(SAID)
    assert "b/m-b: its text departs from what was sent" in error.message


async def test_a_text_that_ends_too_early_departs() -> None:
    stage = Stage(Peer("a", says(SAID, silence())), Peer("b", says(SAID[:-2])))
    text, _ = await interrupted(stage, candidate("a"), candidate("b"))
    assert text == "".join(SAID)


async def test_an_answer_cut_before_its_finish_needs_only_that() -> None:
    stage = Stage(Peer("a", says(PIECES, broke())), Peer("b", says(PIECES)))
    chunks, _ = await stage.drain(candidate("a"), candidate("b"))
    assert text_of(chunks) == WHOLE
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("fields", "who"), [({}, "b"), ({"temperature": 0}, "a"), ({"seed": 3}, "a")]
)
async def test_who_repeats_itself_begins_anew_before_the_others(
    fields: dict[str, Any], who: str
) -> None:
    stage = Stage(Peer("a", says(SAID, broke()), says(PIECES)), Peer("b", says(PIECES)))
    chunks, answer = await stage.drain(candidate("a"), candidate("b"), **fields)
    assert (text_of(chunks), answer.candidate.backend) == (WHOLE, who)


async def test_the_same_model_elsewhere_begins_anew_first() -> None:
    stage = Stage(cut(), Peer("b", says(["Other"])), Peer("c", says(PIECES)))
    plan = candidate("a", model="x"), candidate("b", model="y"), candidate("c", model="x")
    chunks, answer = await stage.drain(*plan)
    assert (text_of(chunks), answer.candidate.backend) == (WHOLE, "c")


async def test_after_one_departs_the_next_is_asked() -> None:
    stage = Stage(cut(), Peer("b", says(["Other"])), Peer("c", says(PIECES)))
    chunks, answer = await stage.drain(candidate("a"), candidate("b"), candidate("c"))
    assert (text_of(chunks), answer.candidate.backend) == (WHOLE, "c")
    assert stage.outcomes() == ["answered", "interrupted", "candidate", "recovered"]
    assert stage.vitals.of("b", "m-b").reading().error_rate == 0.0  # it is well


async def test_reasoning_is_not_said_twice() -> None:
    thoughts = [chunk({"reasoning_content": "Let me"}), chunk({"reasoning": " think"})]
    first = Peer("a", sends(thoughts, failed=broke()))
    again = [chunk({"reasoning_content": "Hm"}), chunk({"reasoning_details": [{"data": "x"}]})]
    other = Peer("b", sends(again, [chunk({"content": "Yes."}), chunk({}, "stop")]))
    stage = Stage(first, other)
    chunks, _ = await stage.drain(candidate("a"), candidate("b", prefix=True))
    assert other.calls[0].prefix == ""
    deltas = [msgspec.json.decode(c.raw)["choices"][0]["delta"] for c in chunks]
    assert deltas == [
        {"reasoning_content": "Let me"},
        {"reasoning": " think"},
        {"content": "Yes."},
        {},
    ]


async def test_a_tool_call_after_the_text_comes_through() -> None:
    call = chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]})
    stage = Stage(cut(), Peer("b", sends([chunk({"content": "".join(SAID)}), call])))
    chunks, _ = await stage.drain(candidate("a"), candidate("b"))
    assert text_of(chunks) == "".join(SAID)
    calls = chunks[-1].choices[0].delta.tool_calls
    assert calls is not None
    assert calls[0].id == "c"


# ------------------------------------------------------------------ what ends in an error


async def test_a_begun_tool_call_is_never_patched_together() -> None:
    call = chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{"}}]})
    other = Peer("b", says(PIECES))
    stage = Stage(Peer("a", sends([call], failed=broke())), other)
    _, error = await interrupted(stage, candidate("a"), candidate("b", prefix=True))
    assert "broke off: the connection was lost" in error.message
    assert other.calls == []


async def test_several_answers_are_not_saved() -> None:
    other = Peer("b", says(PIECES))
    stage = Stage(cut(), other)
    await interrupted(stage, candidate("a"), candidate("b"), n=2)
    assert other.calls == []


async def test_policy_may_forbid_it() -> None:
    for rules in ({"recover": False}, {"max_recoveries": 0}):
        other = Peer("b", says(PIECES))
        await interrupted(Stage(cut(), other), candidate("a"), candidate("b"), rules=rules)
        assert other.calls == []


async def test_an_answer_is_saved_only_so_often() -> None:
    one = Peer("a", *[says([piece], broke()) for piece in PIECES])
    stage = Stage(one)
    text, _ = await interrupted(stage, candidate("a", prefix=True), rules={"max_recoveries": 2})
    assert (text.split(), len(one.calls)) == (["The", "quick", "brown"], 3)


async def test_all_attempts_count() -> None:
    one = Peer("a", fails(broke()), says(SAID, broke()), says(PIECES))
    stage = Stage(one)
    await interrupted(stage, candidate("a"), rules={"max_attempts": 2})
    assert len(one.calls) == 2


async def test_no_time_left_ends_with_the_first_cause() -> None:
    stage = Stage(cut(), Peer("b", says(PIECES)))
    answer = await stage.start(candidate("a"), candidate("b"), within_s=5.0)
    await anext(answer.chunks)
    stage.clock.advance(5.0)
    with pytest.raises(UpstreamFailed, match="broke off: the connection was lost"):
        await collect(answer.chunks)


async def test_a_text_that_is_too_long_to_hold_is_not_saved() -> None:
    other = Peer("b", says(["x" * 600_000] * 2))
    stage = Stage(Peer("a", says(["x" * 600_000] * 2, broke())), other)
    await interrupted(stage, candidate("a"), candidate("b"))
    assert other.calls == []


@pytest.mark.parametrize(
    ("failed", "rules", "asked"),
    [
        (AttemptFailed("caller", "no", status=400), {}, 0),
        (AttemptFailed("content", "unwanted", status=400), {}, 0),
        (AttemptFailed("content", "unwanted"), {"on_content_refusal": "next"}, 1),
    ],
)
async def test_what_is_not_tried_again_before_is_not_after(
    failed: AttemptFailed, rules: dict[str, Any], asked: int
) -> None:
    other = Peer("b", says(["Other words"]))
    stage = Stage(Peer("a", says(SAID, failed)), other)
    _, error = await interrupted(stage, candidate("a"), candidate("b"), rules=rules)
    assert failed.message in error.message
    assert len(other.calls) == asked


async def test_a_finished_answer_stays_finished() -> None:
    other = Peer("b", says(PIECES))
    ended = sends([chunk({"content": "Yes."}), chunk({}, "stop")], failed=broke())
    stage = Stage(Peer("a", ended), other)
    chunks, answer = await stage.drain(candidate("a"), candidate("b"))
    assert text_of(chunks) == "Yes."
    assert not answer.recovered
    assert other.calls == []
    assert stage.outcomes() == ["answered"]


async def test_a_prompt_too_long_with_the_beginning_goes_to_a_larger_context() -> None:
    too_long = AttemptFailed("candidate", "too long", status=400, code=CONTEXT)
    small, same, large = Peer("b", fails(too_long)), Peer("c", says(REST)), Peer("d", says(REST))
    stage = Stage(Peer("a", says(SAID, silence())), small, same, large)
    chunks, answer = await stage.drain(
        candidate("a"),
        candidate("b", prefix=True),
        candidate("c", prefix=True),
        candidate("d", prefix=True, context=8192),
    )
    assert (text_of(chunks), answer.candidate.backend) == (WHOLE, "d")
    assert (len(small.calls), len(same.calls)) == (1, 0)


async def test_an_endless_stream_that_says_nothing_is_given_up() -> None:
    silent = [chunk({"content": ""})] * 100
    stage = Stage(Peer("a", says(SAID, silence())), Peer("b", says(SAID, then=silent * 12)))
    _, error = await interrupted(stage, candidate("a"), candidate("b"))
    assert "no content in 1000 events" in error.message


# ------------------------------------------------------------------ leaving


async def test_a_caller_that_leaves_during_a_recovery_stops_it() -> None:
    first, other = cut(), Peer("b", hangs([chunk({"content": "The "})]))
    stage = Stage(first, other)
    answer = await stage.start(candidate("a"), candidate("b"))
    before = asyncio.all_tasks()
    reading = asyncio.create_task(collect(answer.chunks))
    while not other.running:
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await answer.chunks.aclose()
    assert (first.running, other.running, stage.running()) == (0, 0, 0)
    assert stage.outcomes() == ["answered", "interrupted", "cancelled"]
    assert asyncio.all_tasks() == before


async def test_closing_a_recovered_answer_closes_the_new_call() -> None:
    other = Peer("b", hangs([chunk({"content": piece}) for piece in REST]))
    stage = Stage(cut(), other)
    answer = await stage.start(candidate("a"), candidate("b", prefix=True))
    while answer.candidate.backend == "a":
        await anext(answer.chunks)
    assert (other.running, stage.running()) == (1, 1)
    await answer.chunks.aclose()
    assert (other.running, stage.running()) == (0, 0)


# ------------------------------------------------------------------ over HTTP


@pytest.mark.parametrize(
    "model", ["cut-after-3", "end-after-3", "no-finish", "error-event-after-3", "stall-after-2"]
)
async def test_a_real_stream_goes_on_elsewhere(
    make_hosted: MakeHosted, provider: ScriptedProvider, model: str
) -> None:
    desk = Desk(make_hosted("first", idle_s=0.3), make_hosted("second"))
    text, answer = await desk.answer(f"first/{model}", "second/ok")
    assert text == ANSWER
    assert (answer.candidate.backend, answer.attempts) == ("second", 2)
    assert (len(provider.log(model)), len(provider.log("ok"))) == (1, 1)
    assert desk.pauses == []


async def test_a_stream_cut_after_any_word_is_made_whole(desk: Desk) -> None:
    words = len(ANSWER.split(" "))
    for n in range(1, words + 1):
        answer = await desk.start(f"first/cut-after-{n}", "second/ok")
        assert text_in(await collect(answer.chunks)) == ANSWER

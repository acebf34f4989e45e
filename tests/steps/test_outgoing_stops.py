"""The output filter where a rule blocks, in arguments of calls, and beside probabilities."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_outgoing import chunk, text

from serve_app.config.policy import FilterPolicy
from serve_app.core.trail import Trail
from serve_app.core.types import Chunk
from serve_app.filters.chain import FilterStage
from serve_app.steps.outgoing import OutputGuard
from serve_app.steps.restorer import Restorer

BOTH = ("output", "tool_arguments")
STAGE = FilterStage(
    FilterPolicy.model_validate(
        {
            "output_pii": "off",
            "rules": [
                {"kind": "pii", "name": "pii", "where": list(BOTH)},
                {"kind": "words", "name": "stop", "words": ["code word"], "where": list(BOTH)},
            ],
        }
    )
)


def guard(trail: Trail | None = None) -> OutputGuard:
    return OutputGuard(STAGE, "t", trail or Trail("r"), "/v1/chat/completions", BOTH)


async def through(desk: OutputGuard, batches: list[list[Chunk]]) -> list[Chunk]:
    """What comes out, read again from the bytes that a caller would get."""
    out = [c for batch in batches for c in await desk.check(batch)]
    return [msgspec.json.decode(c.raw, type=Chunk) for c in out]


def call(arguments: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, **more, "function": {"arguments": arguments}}


def arguments(chunks: list[Chunk], index: int = 0) -> str:
    calls = [c for made in chunks for choice in made.choices for c in choice.delta.tool_calls or ()]
    return "".join(c.function.arguments or "" for c in calls if c.index == index and c.function)


def finishes(chunks: list[Chunk]) -> dict[int, str]:
    return {c.index: c.finish_reason for m in chunks for c in m.choices if c.finish_reason}


# ---------------------------------------------------------------------- arguments

RAW = json.dumps({"to": "x\nann@example.com", "n": 13812345678, "rest": "fine"})
CLEAN = {"to": "x\n[EMAIL]", "n": "[PHONE]", "rest": "fine"}


@settings(deadline=None)
@given(st.lists(st.integers(0, len(RAW)), max_size=8), st.integers(1, 4))
async def test_arguments_in_any_pieces_come_out_clean_and_as_json(
    cuts: list[int], size: int
) -> None:
    edges = [0, *sorted(cuts), len(RAW)]
    chunks = [chunk({"tool_calls": [call(RAW[a:b])]}) for a, b in itertools.pairwise(edges)]
    chunks.append(chunk({}, "tool_calls"))
    batches = [chunks[at : at + size] for at in range(0, len(chunks), size)]
    assert json.loads(arguments(await through(guard(), batches))) == CLEAN


async def test_calls_that_come_in_turns_are_texts_of_their_own() -> None:
    batches = [
        [chunk({"tool_calls": [call('{"a": "ann@', 0, id="1"), call('{"b": "13812', 1, id="2")]})],
        [
            chunk({"tool_calls": [call("example.com", 0)]}),
            chunk({"tool_calls": [call("345678", 1)]}),
        ],
        [chunk({"tool_calls": [call('"}', 1)]}), chunk({"tool_calls": [call('"}', 0)]})],
        [chunk({}, "tool_calls")],
    ]
    out = await through(guard(), batches)
    assert arguments(out, 0) == '{"a": "[EMAIL]"}'
    assert arguments(out, 1) == '{"b": "[PHONE]"}'
    assert [c.id for m in out[:1] for c in m.choices[0].delta.tool_calls or ()] == ["1", "2"]


async def test_calls_of_a_body_are_told_apart_by_their_order() -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "2", "type": "function", "function": {"name": "g", "arguments": '{"b": "a@b.co"}'}},
    ]
    whole = chunk({"role": "assistant", "tool_calls": calls}, "tool_calls")
    body = {
        "choices": [{"index": 0, "message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]
    }
    whole.raw, whole.whole = json.dumps(body).encode(), True
    [out] = await guard().check([whole])
    told = json.loads(out.raw)["choices"][0]["message"]["tool_calls"]
    assert [one["function"]["arguments"] for one in told] == ['{"a": 1}', '{"b": "[EMAIL]"}']
    assert [one["id"] for one in told] == ["1", "2"]
    assert "index" not in told[0]


# ------------------------------------------------------------------------- stops


@pytest.mark.parametrize("at", range(1, 20))
async def test_nothing_follows_a_block(at: int) -> None:
    said = "it is the code word, and more"
    desk = guard()
    batches = [[chunk({"content": said[:at]}), chunk({"content": said[at:]})], [chunk({}, "stop")]]
    out = await through(desk, batches)
    assert text(out) == "it is the "
    assert finishes(out) == {0: "content_filter"}
    assert desk.blocked == "stop"
    assert await desk.check([chunk({"content": "more"})]) == []


async def test_what_is_blocked_only_at_its_end_stops_the_call_that_follows() -> None:
    out = await through(
        guard(),
        [[chunk({"content": "the code word"})], [chunk({"tool_calls": [call("{}", id="1")]})]],
    )
    assert text(out) == "the "
    assert arguments(out) == ""
    assert finishes(out) == {0: "content_filter"}


async def test_choices_that_are_open_end_and_those_that_are_over_do_not_again() -> None:
    out = await through(
        guard(),
        [
            [chunk({"content": "one"}, index=0), chunk({"content": "two"}, index=1)],
            [chunk({}, "stop", index=0), chunk({"content": "three "}, index=2)],
            [chunk({"content": " code word "}, index=1), chunk({"content": "late"}, index=2)],
        ],
    )
    assert finishes(out) == {0: "stop", 1: "content_filter", 2: "content_filter"}
    assert (text(out, index=0), text(out, index=2)) == ("one", "three ")


async def test_every_decision_is_in_the_trail_and_no_text() -> None:
    trail = Trail("r")
    desk = guard(trail)
    await through(desk, [[chunk({"content": f"a@b.co c@d.co {n} "})] for n in range(3)])
    await through(desk, [[chunk({"content": "code word."})], [chunk({}, "stop")]])
    desk.close()
    desk.close()
    assert [(n.decision, n.facts) for n in trail.notes] == [
        ("redact", {"rule": "pii:email", "count": 6}),
        ("block", {"rule": "stop", "count": 1}),
    ]


# ----------------------------------------------------------------- probabilities


def scored(*tokens: str, **more: Any) -> Chunk:
    made = chunk({"content": "".join(tokens)})
    value = json.loads(made.raw)
    value["choices"][0]["logprobs"] = {"content": [{"token": t, "logprob": -0.1} for t in tokens]}
    raw = json.dumps(value).encode()
    made = msgspec.json.decode(raw, type=Chunk)
    made.raw = raw
    return made


def tokens(chunks: list[Chunk]) -> str:
    lists = [c.logprobs for m in chunks for c in m.choices if isinstance(c.logprobs, dict)]
    return "".join(item["token"] for found in lists for item in found["content"])


async def test_probabilities_go_out_with_their_text() -> None:
    words = ["Hello", " ann", "@", "home", " and", " bye", "."]
    desk, said, scored_so_far = guard(), "", ""
    for one in [*([scored(word)] for word in words), [chunk({}, "stop")]]:
        out = await through(desk, [one])
        said, scored_so_far = said + text(out), scored_so_far + tokens(out)
        assert said.startswith(scored_so_far)
    assert said == scored_so_far == "".join(words)


async def test_probabilities_do_not_tell_what_was_redacted_or_blocked() -> None:
    pieces = ["mail", " ann", "@example", ".com", " now", " code", " word", "!"]
    batches = [[scored(piece)] for piece in pieces]
    out = await through(guard(), [*batches, [chunk({}, "stop")]])
    assert text(out) == "mail [EMAIL] now "
    for told in ("ann", "example", "code", "word"):
        assert told not in tokens(out)


# -------------------------------------------------------------------- given back


async def test_what_is_given_back_changes_only_the_callers_copy() -> None:
    restorer = Restorer((("<EMAIL_1>", "ann@example.com"),))
    kept = [chunk({"content": "to <EMA"}), chunk({"content": "IL_1>!"}), chunk({}, "stop")]
    before = [(c.raw, c.choices[0].delta.content) for c in kept]
    own = [c for one in kept for c in await restorer.restored([one])]
    assert text([msgspec.json.decode(c.raw, type=Chunk) for c in own]) == "to ann@example.com!"
    assert [(c.raw, c.choices[0].delta.content) for c in kept] == before

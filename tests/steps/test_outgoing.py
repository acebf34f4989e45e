"""The output filter along a reply: with the real filter stage, however the reply is cut."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.config.policy import FilterPolicy
from serve_app.core.screening import Released, Tail
from serve_app.core.trail import Trail
from serve_app.core.types import Chunk
from serve_app.filters.chain import FilterStage
from serve_app.steps.outgoing import OutputGuard

TEXT = "Write to john.doe@example.com or call 13812345678 today, please."
CLEAN = "Write to [EMAIL] or call [PHONE] today, please."

STAGE = FilterStage(FilterPolicy())


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> Chunk:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    raw = json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode()
    made = msgspec.json.decode(raw, type=Chunk)
    made.raw = raw
    return made


def guard() -> OutputGuard:
    return OutputGuard(STAGE, "t", Trail("r"))


async def through(batches: list[list[Chunk]]) -> list[Chunk]:
    """What comes out, read again from the bytes that a caller would get."""
    desk = guard()
    out = [c for batch in batches for c in await desk.check(batch)]
    return [msgspec.json.decode(c.raw, type=Chunk) for c in out]


def text(chunks: list[Chunk], field: str = "content", index: int = 0) -> str:
    deltas = [c.delta for chunk in chunks for c in chunk.choices if c.index == index]
    return "".join(getattr(delta, field) or "" for delta in deltas)


def pieces(whole: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(cuts), len(whole)]
    return [whole[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("at", range(1, len(TEXT)))
async def test_a_match_cut_anywhere_is_still_one(at: int) -> None:
    said = [chunk({"content": part}) for part in (TEXT[:at], TEXT[at:])]
    out = await through([[said[0]], [said[1]], [chunk({}, "stop")]])
    assert text(out) == CLEAN


@given(cuts=st.lists(st.integers(0, len(TEXT)), max_size=12), batch=st.integers(1, 6))
async def test_any_cut_and_any_batching_give_the_same_text(cuts: list[int], batch: int) -> None:
    chunks = [chunk({"content": part}) for part in pieces(TEXT, cuts)] + [chunk({}, "stop")]
    batches = [chunks[at : at + batch] for at in range(0, len(chunks), batch)]
    out = await through(batches)
    assert text(out) == CLEAN
    assert out[-1].choices[0].finish_reason == "stop"


async def test_clean_chunks_leave_as_they_came() -> None:
    said = [chunk({"content": f"{word} "}) for word in ["the", "quick", "brown", "fox"]]
    out = await guard().check(said)
    assert [c.raw for c in out] == [c.raw for c in said]


async def test_a_clean_stream_keeps_its_chunks() -> None:
    words = [chunk({"content": f" word{n}"}) for n in range(30)]
    out = await through([words[:10], words[10:20], words[20:], [chunk({}, "stop")]])
    assert text(out) == "".join(f" word{n}" for n in range(30))
    assert len(out) >= 29


async def test_choices_and_fields_are_texts_of_their_own() -> None:
    batches = [
        [chunk({"content": "mail a@"}), chunk({"content": "x"}, index=1)],
        [chunk({"reasoning_content": "b.co"}), chunk({"content": "y"}, index=1)],
        [chunk({"content": "b.co"})],
        [chunk({}, "stop"), chunk({}, "stop", index=1)],
    ]
    out = await through(batches)
    assert text(out) == "mail [EMAIL]"
    assert text(out, "reasoning_content") == "b.co"
    assert text(out, index=1) == "xy"


async def test_a_whole_reply_is_cleaned_too() -> None:
    body = {
        "id": "c", "object": "chat.completion", "extra": 1,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT},
                     "finish_reason": "stop"}],
    }  # fmt: skip
    whole = chunk({"role": "assistant", "content": TEXT}, "stop")
    whole.raw, whole.whole = json.dumps(body).encode(), True
    [out] = await guard().check([whole])
    sent = json.loads(out.raw)
    assert sent["choices"][0]["message"]["content"] == CLEAN
    assert sent["extra"] == 1


async def test_what_was_found_is_counted_without_its_text() -> None:
    trail = Trail("r")
    desk = OutputGuard(STAGE, "t", trail)
    await desk.check([chunk({"content": TEXT}, "stop")])
    assert desk.found == {"pii:email": 1, "pii:phone": 1}
    assert "john" not in json.dumps(trail.as_dicts())


async def test_tool_calls_and_usage_pass() -> None:
    call = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}
    out = await through([[chunk({"content": "see a"})], [chunk(call)], [chunk({}, "tool_calls")]])
    assert text(out) == "see a"
    assert any(c.delta.tool_calls for made in out for c in made.choices)


class Silent:
    """A filter that must not be asked."""

    async def check_input(self, batch: list[Any]) -> list[Any]:
        raise AssertionError

    async def check_output(self, batch: list[Tail]) -> list[Released]:
        raise AssertionError


async def test_chunks_without_text_ask_nobody() -> None:
    desk = OutputGuard(Silent(), "t", Trail("r"))
    said = [chunk({"role": "assistant"}), chunk({}, "stop")]
    assert await desk.check(said) == said

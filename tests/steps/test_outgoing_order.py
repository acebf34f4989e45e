"""The output filter leaves what a caller reads in its order."""

from __future__ import annotations

from typing import Any

from test_outgoing import chunk, guard

CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


async def fields_of(*deltas: dict[str, Any]) -> list[tuple[str, str]]:
    """Field and text of everything that comes out, in order, tool calls by name."""
    desk, seen = guard(), []
    for batch in [*([chunk(delta)] for delta in deltas), [chunk({}, "stop")]]:
        for made in await desk.check(batch):
            delta = made.choices[0].delta
            seen += [
                (f, getattr(delta, f))
                for f in ("reasoning_content", "content")
                if getattr(delta, f)
            ]
            seen += [("call", c.function.name) for c in delta.tool_calls or ()]
    return seen


def joined(seen: list[tuple[str, str]]) -> list[tuple[str, str]]:
    whole: list[tuple[str, str]] = []
    for field, said in seen:
        if whole and whole[-1][0] == field:
            whole[-1] = (field, whole[-1][1] + said)
        else:
            whole.append((field, said))
    return whole


async def test_a_thought_is_over_when_the_answer_begins() -> None:
    seen = await fields_of(
        {"reasoning_content": "Let me"},
        {"reasoning_content": " think"},
        {"content": "For"},
        {"content": "ty"},
    )
    assert joined(seen) == [("reasoning_content", "Let me think"), ("content", "Forty")]


async def test_an_answer_is_over_when_a_tool_is_called() -> None:
    seen = await fields_of({"content": "Let me"}, {"content": " see"}, {"tool_calls": [CALL]})
    assert joined(seen) == [("content", "Let me see"), ("call", "f")]


async def test_a_match_that_ends_there_is_still_one() -> None:
    seen = await fields_of({"content": "Write to a@b"}, {"content": ".co"}, {"tool_calls": [CALL]})
    assert joined(seen) == [("content", "Write to [EMAIL]"), ("call", "f")]


async def test_a_thought_is_over_when_it_is_signed() -> None:
    desk = guard()
    signed = {"reasoning_details": [{"type": "reasoning.text", "signature": "s", "chars": 12}]}
    await desk.check([chunk({"reasoning_content": "Let me think"})])
    [made] = await desk.check([chunk(signed)])
    assert made.choices[0].delta.reasoning_content == "think"
    assert b'"signature"' in made.raw
    assert made.choices[0].delta.reasoning_details == signed["reasoning_details"]


async def test_what_follows_a_call_is_a_text_of_its_own() -> None:
    desk = guard()
    batch = [
        chunk({"content": "Let me see: "}),
        chunk({"tool_calls": [CALL]}),
        chunk({"content": "a@b"}),
    ]
    out = [*await desk.check(batch), *await desk.check([chunk({"content": ".co"}, "stop")])]
    assert "".join(c.choices[0].delta.content or "" for c in out) == "Let me see: [EMAIL]"

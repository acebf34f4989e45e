"""What stands where in a batch of chunks: texts, arguments, ends."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from serve_app.core.types import Chunk, ToolCallDelta

FIELDS = ("content", "reasoning_content", "reasoning", "refusal")
"""Text fields of a delta that a caller reads; each is a text of its own to the filter."""

ARGUMENTS = "arguments"
THOUGHTS = frozenset({"reasoning_content", "reasoning"})


class Key(NamedTuple):
    """One text of a reply: a field of a choice, or the arguments of one of its tool calls."""

    choice: int
    field: str
    call: int = -1


class Place(NamedTuple):
    """Where a piece of text stands in a batch: which chunk, and its text."""

    chunk: int
    text: str


class Survey(Struct):
    """What a batch brings."""

    places: dict[Key, list[Place]] = field(default_factory=dict)
    called: dict[int, list[int]] = field(default_factory=dict)
    """By choice, the chunks in which it calls a tool or ends."""
    ended: dict[int, list[int]] = field(default_factory=dict)
    """By choice, the chunks in which it ends."""


def survey(chunks: list[Chunk], *, texts: bool, arguments: bool) -> Survey:
    """Look a batch through for the texts that are to be read."""
    seen = Survey()
    for at, chunk in enumerate(chunks):
        for choice in chunk.choices:
            delta, index = choice.delta, choice.index
            if choice.finish_reason is not None or chunk.whole:
                seen.ended.setdefault(index, []).append(at)
                seen.called.setdefault(index, []).append(at)
            elif delta.tool_calls:
                seen.called.setdefault(index, []).append(at)
            if texts:
                for name in FIELDS:
                    if text := getattr(delta, name):
                        seen.places.setdefault(Key(index, name), []).append(Place(at, text))
            if arguments and delta.tool_calls:
                _calls(seen, at, index, delta.tool_calls, whole=chunk.whole)
    return seen


def answered(chunks: list[Chunk]) -> dict[int, int]:
    """The first chunk of each choice that ends its thought: an answer, or a signature."""
    found: dict[int, int] = {}
    for at, chunk in enumerate(chunks):
        for choice in chunk.choices:
            delta = choice.delta
            if delta.content or delta.refusal or delta.reasoning_details:
                found.setdefault(choice.index, at)
    return found


def _calls(seen: Survey, at: int, choice: int, calls: list[ToolCallDelta], *, whole: bool) -> None:
    """Arguments by call; a body numbers its calls by their order."""
    said: dict[int, str] = {}
    for number, call in enumerate(calls):
        if call.function is not None and call.function.arguments:
            index = number if whole else call.index
            said[index] = said.get(index, "") + call.function.arguments
    for index, text in said.items():
        seen.places.setdefault(Key(choice, ARGUMENTS, index), []).append(Place(at, text))

"""Conversations as they are read, made up for the tests of what is sent of them."""

from __future__ import annotations

from collections.abc import Sequence

from serve_app.config.policy import ConversationPolicy
from serve_app.core.types import FunctionCall, Message, ToolCall
from serve_app.sessions.thread import Summary, Thread
from serve_app.sessions.tokens import HeuristicCounter
from serve_app.sessions.turns import Turn, turn_of

FRAME = 5
"""What every message costs besides its words."""


def words(text: str) -> int:
    return len(text.split())


COUNTER = HeuristicCounter(words)


def call(*ids: str) -> Message:
    return Message(
        "assistant", tool_calls=[ToolCall(i, "function", FunctionCall("f")) for i in ids]
    )


def answer(call_id: str) -> Message:
    return Message("tool", "result", tool_call_id=call_id)


def user(text: str = "hi") -> Message:
    return Message("user", text)


def turns_of(turns: Sequence[Sequence[Message]], first: int = 0) -> tuple[Turn, ...]:
    return tuple(turn_of(first + i, one, COUNTER.count) for i, one in enumerate(turns))


def thread(
    turns: Sequence[Sequence[Message]], *, first: int = 0, summary: Summary | None = None
) -> Thread:
    """A conversation of which the turns from `first` on were read."""
    made = turns_of(turns, first)
    version = first + len(made)
    tokens = sum(turn.tokens for turn in made) + 12 * first
    return Thread(version, version, turns=made, summary=summary, tokens=tokens)


def plain(count: int, *, first: int = 0) -> list[list[Message]]:
    """Turns of two messages, 12 tokens each."""
    numbers = range(first, first + count)
    return [[user(f"{n}?"), Message("assistant", f"{n}!")] for n in numbers]


def policy(**changes: object) -> ConversationPolicy:
    return ConversationPolicy.model_validate(changes)

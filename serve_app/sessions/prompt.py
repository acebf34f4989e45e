"""A prompt of a conversation: what of it is sent, in an order whose beginning stays the same.

instructions of this request | instructions of earlier turns that are left out
    | summary | turns | what is said now
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from serve_app.core.messages import encode_messages
from serve_app.core.types import ChatRequest, Message
from serve_app.sessions.cutting import cut
from serve_app.sessions.pairs import paired
from serve_app.sessions.turns import Turn
from serve_app.sessions.window import History, Layout, told_by

_raws: Final = msgspec.json.Decoder(list[Raw]).decode


class Told(Struct, frozen=True):
    """What is sent of a conversation, and what that left out."""

    messages: list[Message]
    cut_turns: int = 0
    cut_messages: int = 0
    """Long ones of which a part is sent."""


class Asked:
    """A request in a conversation, taken apart.

    Args:
        instructions: so many of its first messages are.
    """

    def __init__(self, request: ChatRequest, instructions: int) -> None:
        self.request = request
        messages = request.params.messages
        self.instructions = messages[:instructions]
        self.said = messages[instructions:]
        self._raws = _raws(request.fields["messages"])

    def behind(self, history: list[Message]) -> ChatRequest:
        """The request with a history; its own messages as they were sent."""
        said, raw = self.request, self._in_order(history)
        messages = [*self.instructions, *history, *self.said]
        fields = {**said.fields, "messages": Raw(raw)}
        return replace(said, fields=fields, params=replace(said.params, messages=messages))

    def body(self, history: list[Message]) -> dict[str, bytes]:
        """The field of it that a history changes, as raw JSON."""
        return {"messages": self._in_order(history)}

    def _in_order(self, history: list[Message]) -> bytes:
        first = len(self.instructions)
        parts: list[Any] = [*self._raws[:first], *_raws(encode_messages(history))]
        return msgspec.json.encode([*parts, *self._raws[first:]])


def told(history: History, layout: Layout, said: Sequence[Message]) -> Told:
    """The messages of a conversation that are sent."""
    turns = [turn for turn in history.thread.turns if turn.number >= layout.start]
    short = [_shortened(turn, layout, history.policy.truncate_chars) for turn in turns]
    messages = [message for one in short for message in one]
    whole = [message for turn in turns for message in turn.messages]
    return Told(
        [*_pinned(history, layout), *paired(messages, said)],
        cut_turns=history.thread.at - len(turns),
        cut_messages=sum(a is not b for a, b in zip(messages, whole, strict=True)),
    )


def _shortened(turn: Turn, layout: Layout, most_chars: int) -> list[Message]:
    if turn.number >= layout.cut_before:
        return turn.messages
    return [cut(message, most_chars) for message in turn.messages]


def _pinned(history: History, layout: Layout) -> list[Message]:
    thread = history.thread
    left_out = [*thread.pins, *(turn for turn in thread.turns if turn.number < layout.start)]
    pinned = [message for turn in left_out for message in turn.instructions]
    if layout.summary is not None:
        pinned.append(told_by(layout.summary))
    return pinned

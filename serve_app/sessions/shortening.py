"""What a conversation is shortened to: for everybody at first, then for the model that answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from serve_app.core.plan import Candidate
from serve_app.core.trail import Trail
from serve_app.sessions.prompt import Asked, Told, told
from serve_app.sessions.tokens import TokenCounter
from serve_app.sessions.window import History, Layout, fit

_MARGIN_TOKENS: Final = 32
"""For what a chat template puts before and after the messages."""
_BYTES_PER_TOKEN: Final = 4
"""Of the JSON of tools."""


class Room(Struct, frozen=True):
    """How much of a context is for a conversation's history."""

    asked: Asked
    reply_tokens: int
    cap: int | None = None
    """Of the whole prompt."""

    def tokens(self, context: int, counter: TokenCounter) -> int:
        """What a context leaves for the history."""
        reply = min(self.reply_tokens, context // 2)
        most = context - reply - _MARGIN_TOKENS
        if self.cap is not None:
            most = min(most, self.cap)
        messages = (*self.asked.instructions, *self.asked.said)
        tools = len(bytes(self.asked.request.fields.get("tools", b""))) // _BYTES_PER_TOKEN
        return most - tools - sum(map(counter.count, messages))


class Shortened(Struct, frozen=True):
    """A history as it is sent."""

    layout: Layout
    told: Told
    saved_tokens: int
    """Of the whole conversation, by estimate; what an instruction or a summary costs is taken
    off."""

    @property
    def decision(self) -> str:
        """In one word, for the trail."""
        if self.layout.summary is not None:
            return "summarised"
        if self.told.cut_turns:
            return "dropped"
        return "truncated" if self.told.cut_messages else "whole"

    def note(self, trail: Trail, version: int, model: str = "") -> None:
        """Say in the trail what was cut.

        Args:
            model: for which it was; empty: for all.
        """
        trail.note(
            "conversation",
            self.decision,
            None,
            version=version,
            first_turn=self.layout.start,
            cut_turns=self.told.cut_turns,
            cut_messages=self.told.cut_messages,
            saved_tokens=self.saved_tokens,
            **({"model": model} if model else {}),
        )


def shortened(
    history: History, room: Room, context: int, counter: TokenCounter, estimate: TokenCounter
) -> Shortened:
    """A history as it fits a context.

    Args:
        counter: decides what fits.
        estimate: says what was saved, as turns were counted by it when they were kept.
    """
    layout = fit(history, room.tokens(context, counter), counter)
    sent = told(history, layout, room.asked.said)
    if not sent.cut_turns and not sent.cut_messages:
        return Shortened(layout, sent, 0)
    left = sum(map(estimate.count, sent.messages))
    return Shortened(layout, sent, max(0, history.tokens - left))


class Shorten:
    """Makes a conversation fit a candidate.

    Args:
        base: what is sent to a candidate that has room for it.
        counters: by backend.
        estimate: for all others.
    """

    def __init__(
        self,
        history: History,
        room: Room,
        base: Shortened,
        counters: Mapping[str, TokenCounter],
        estimate: TokenCounter,
        trail: Trail,
    ) -> None:
        self._history = history
        self._room = room
        self._base = base
        self._counters = counters
        self._estimate = estimate
        self._trail = trail
        self.is_cut = False
        """The last candidate got less than others may."""

    def __call__(self, candidate: Candidate) -> dict[str, bytes]:
        """The fields in which this candidate's request differs; see `backends.execute.Prepare`."""
        counter = self._counters.get(candidate.backend, self._estimate)
        layout = fit(self._history, self._room.tokens(candidate.context, counter), counter)
        base = self._base.layout
        self.is_cut = (layout.start, layout.cut_before) > (base.start, base.cut_before)
        if not self.is_cut:
            return {}
        made = shortened(self._history, self._room, candidate.context, counter, self._estimate)
        made.note(self._trail, self._history.thread.at, candidate.model)
        return self._room.asked.body(made.told.messages)

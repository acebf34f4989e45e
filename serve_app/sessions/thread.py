"""What is read of a conversation: its latest turns and what is known of it besides."""

from __future__ import annotations

from msgspec import Struct

from serve_app.core.types import Message
from serve_app.sessions.turns import Turn


class Summary(Struct, frozen=True):
    """What a model made of the turns before `upto`."""

    upto: int
    text: str
    tokens: int = 0


class Thread(Struct, frozen=True):
    """A conversation as far as it was read: its end, or what was before some version of it."""

    version: int
    """How many turns there ever were; 0: there is no such conversation, or nothing in it yet."""
    at: int = 0
    """How many of them there are for this reader: those before the version that was asked for."""
    gone: int = 0
    """How many of the oldest are not kept any more."""
    turns: tuple[Turn, ...] = ()
    """The latest before `at` without a gap, oldest first; as many as the limits of reading
    allow."""
    pins: tuple[Turn, ...] = ()
    """Instructions of turns before those, each as a turn of that number."""
    summary: Summary | None = None
    """None: there is none, or it goes beyond `at`."""
    tokens: int = 0
    """Of all turns there ever were, estimated when they were kept."""
    created_at: int = 0
    """Unix seconds; 0: nobody began it."""
    metadata: dict[str, str] = {}
    read_bytes: int = 0
    """Of turns, as stored."""

    @property
    def is_there(self) -> bool:
        return self.version > 0 or self.created_at > 0

    @property
    def start(self) -> int:
        """Number of the first turn that was read."""
        return self.turns[0].number if self.turns else self.at

    @property
    def messages(self) -> list[Message]:
        """Every message of the turns that were read, in order."""
        return [message for turn in self.turns for message in turn.messages]

"""A turn as it is kept: messages to a few bytes, and back.

    plain  = 0x01 + msgpack [tokens, messages]
    sealed = 0x02 + the same msgpack, sealed (`seal.py`)
    a message = [role, content, name, tool calls, tool call id], without the nils at its end

A message that was deleted leaves a nil: the places of the others do not change. What begins
otherwise is an array of messages as maps, as the first version of this product kept a turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from serve_app.core.types import ContentPart, FunctionCall, Message, ToolCall
from serve_app.sessions.seal import Seals

PLAIN: Final = b"\x01"
SEALED: Final = b"\x02"

Count = Callable[[Message], int]
"""Tokens of a message, about."""

_ROLES: Final = ("user", "assistant", "tool", "system", "developer")
_CODES: Final = {role: code for code, role in enumerate(_ROLES)}
_INSTRUCTIONS: Final = frozenset({"system", "developer"})


class Turn(Struct, frozen=True):
    """What was added to a conversation at once: mostly a question and its answer."""

    number: int
    """Counted from 0 over all turns that the conversation ever had; never changes."""
    slots: tuple[Message | None, ...]
    """Its messages; None where one was deleted."""
    counts: tuple[int, ...] = ()
    """Tokens of each, estimated when it was kept."""

    @property
    def messages(self) -> list[Message]:
        return [message for message in self.slots if message is not None]

    @property
    def tokens(self) -> int:
        return sum(self.counts)

    @property
    def instructions(self) -> list[Message]:
        """Its system and developer messages, which hold for all that follows."""
        return [message for message in self.messages if message.role in _INSTRUCTIONS]

    def without(self, index: int) -> Turn:
        """The turn after one of its messages was deleted."""
        slots = (*self.slots[:index], None, *self.slots[index + 1 :])
        counts = (*self.counts[:index], 0, *self.counts[index + 1 :])
        return Turn(self.number, slots, counts)


class _Call(Struct, array_like=True):
    id: str = ""
    name: str | None = None
    arguments: str = ""
    type: str = "function"


class _Kept(Struct, array_like=True):
    role: int | str
    content: str | list[str | None] | None = None
    name: str | None = None
    calls: list[_Call] | None = None
    call_id: str | None = None


class _Body(Struct, array_like=True):
    counts: tuple[int, ...]
    slots: list[_Kept | None]


_encode = msgspec.msgpack.encode
_body = msgspec.msgpack.Decoder(_Body).decode
_first_version = msgspec.msgpack.Decoder(list[Message]).decode


def turn_of(number: int, messages: Sequence[Message], count: Count) -> Turn:
    """A new turn. Parts that are not text (images, audio) become a mark."""
    kept = tuple(_without_media(message) for message in messages)
    return Turn(number, kept, tuple(count(message) for message in kept))


def pack(turn: Turn) -> bytes:
    """A turn without its number; not sealed yet."""
    slots = [None if message is None else _short(message) for message in turn.slots]
    return _encode([turn.counts, slots])


def framed(packed: bytes, seals: Seals | None, place: str) -> bytes:
    """What is kept of something packed: sealed where `seals` are given."""
    return PLAIN + packed if seals is None else SEALED + seals.seal(packed, place)


def unframed(stored: bytes, seals: Seals, place: str) -> bytes:
    """What was packed.

    Raises:
        ValueError: no key of ours opens it, or nobody framed it.
    """
    if stored[:1] == PLAIN:
        return stored[1:]
    opened = seals.open(stored[1:], place) if stored[:1] == SEALED else None
    if opened is None:
        raise ValueError("no key opens it")
    return opened


def unpack(number: int, stored: bytes, seals: Seals, place: str, count: Count) -> Turn:
    """A stored turn.

    Raises:
        ValueError: it cannot be read.
    """
    if stored[:1] not in (PLAIN, SEALED):
        return turn_of(number, _first_version(stored), count)
    body = _body(unframed(stored, seals, place))
    slots = tuple(None if kept is None else _message(kept) for kept in body.slots)
    return Turn(number, slots, body.counts)


def _short(message: Message) -> list[Any]:
    content = message.content
    fields: list[Any] = [
        _CODES.get(message.role, message.role),
        [part.text for part in content] if isinstance(content, list) else content,
        message.name,
        [_short_call(call) for call in message.tool_calls] if message.tool_calls else None,
        message.tool_call_id,
    ]
    return _trimmed(fields)


def _short_call(call: ToolCall) -> list[Any]:
    called = call.function
    if called is None:
        return [call.id, None, "", call.type]
    short = [call.id, called.name, called.arguments]
    return short if call.type == "function" else [*short, call.type]


def _trimmed(fields: list[Any]) -> list[Any]:
    while len(fields) > 1 and fields[-1] is None:
        fields.pop()
    return fields


def _message(kept: _Kept) -> Message:
    content = kept.content
    return Message(
        kept.role if isinstance(kept.role, str) else _ROLES[kept.role],
        [ContentPart("text", text) for text in content] if isinstance(content, list) else content,
        kept.name,
        [_call(call) for call in kept.calls] if kept.calls else None,
        kept.call_id,
    )


def _call(kept: _Call) -> ToolCall:
    called = None if kept.name is None else FunctionCall(kept.name, kept.arguments)
    return ToolCall(kept.id, kept.type, called)


def _without_media(message: Message) -> Message:
    if not isinstance(message.content, list) or all(p.type == "text" for p in message.content):
        return message
    parts = [p if p.type == "text" else _mark(p) for p in message.content]
    return replace(message, content=parts)


def _mark(part: ContentPart) -> ContentPart:
    return ContentPart("text", f"[{part.type} not kept]")

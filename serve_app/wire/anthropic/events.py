"""A streamed reply as Anthropic's events: blocks one after the other, each begun and ended.

OpenAI's chunks may mix what belongs to several blocks. A tool call is told at once as long as
its turn lasts; what comes in between waits until its arguments are whole or the reply is over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

from serve_app.core.errors import UpstreamFailed
from serve_app.core.types import Chunk, Delta, ToolCallDelta, Usage
from serve_app.wire.anthropic.reply import (
    Json,
    head,
    stop_reason,
    usage_of,
)
from serve_app.wire.anthropic.thinking import Detail, details_of, thinking
from serve_app.wire.anthropic.tool import Tool
from serve_app.wire.shape import Answered

MAX_HELD = 4 << 20
"""Characters of one reply that may wait for their turn."""

_Key = str | int
"""A kind of block (`text`, `thinking`, `seal N`), or a tool call's index."""

_TEXT: Json = {"type": "text", "text": ""}


class _Held(Struct):
    """A block whose turn has not come."""

    start: Json
    deltas: list[Json]


class Events:
    """Makes the events of one reply: `feed` it batches of chunks, then `end` it."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._out: list[bytes] = []
        self._begun = False
        self._index = -1
        self._open: _Key | None = None
        self._held: dict[_Key, _Held] = {}
        self._held_chars = 0
        self._tools: dict[int, Tool] = {}
        self._seals = 0
        self._thought_chars = 0
        self._refused = False
        self._finish: str | None = None
        self._usage: Usage | None = None

    def feed(self, chunks: list[Chunk]) -> bytes:
        """Events of some chunks, in one piece; maybe none."""
        for chunk in chunks:
            self._usage = chunk.usage or self._usage
            self._begin(chunk)
            for choice in chunk.choices:
                if choice.index == 0:
                    self._take(choice.delta, chunk)
                    if choice.finish_reason is not None:
                        self._finish = choice.finish_reason
                        self._settle()
        return self._drain()

    def end(self) -> bytes:
        """The last events."""
        self._begin(Chunk())
        self._settle()
        reason = stop_reason(self._finish, bool(self._tools), self._refused)
        self._event(
            "message_delta",
            delta={"stop_reason": reason, "stop_sequence": None},
            usage=usage_of(self._usage or self._answered.usage),
        )
        self._event("message_stop")
        return self._drain()

    # ------------------------------------------------------------- what comes

    def _begin(self, chunk: Chunk) -> None:
        if self._begun:
            return
        self._begun = True
        message = {
            **head(chunk.id, chunk.model or self._answered.model),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_of(chunk.usage),
        }
        self._event("message_start", message=message)

    def _take(self, delta: Delta, chunk: Chunk) -> None:
        if thought := delta.reasoning_content or delta.reasoning:
            self._thought_chars += len(thought)
            said = {"type": "thinking_delta", "thinking": thought}
            self._say("thinking", thinking("", ""), said)
        if delta.reasoning_details or b'"reasoning_details"' in chunk.raw:
            self._take_details(delta.reasoning_details or _details_of(chunk.raw))
        for text in (delta.content, delta.refusal):
            if text:
                self._say("text", _TEXT, {"type": "text_delta", "text": text})
        if delta.refusal:
            self._refused = True
        for call in delta.tool_calls or ():
            self._take_call(call)

    def _take_details(self, given: Any) -> None:
        for detail in details_of(given):
            if detail.sealed:
                self._seals += 1
                block = {"type": "redacted_thinking", "data": detail.sealed}
                self._say(f"seal {self._seals}", block, None)
            else:
                self._sign(detail)

    def _sign(self, detail: Detail) -> None:
        """A block of thinking is whole; it is signed if what went out is what was signed."""
        if detail.chars in (None, self._thought_chars):
            delta = {"type": "signature_delta", "signature": detail.signature}
            self._say("thinking", thinking("", ""), delta)
        self._thought_chars = 0
        if self._open == "thinking":
            self._close()

    def _take_call(self, call: ToolCallDelta) -> None:
        """A fragment of a call. What comes after whole arguments is no part of them."""
        tool = self._tools.setdefault(call.index, Tool())
        was_named = bool(tool.name)
        fragment = tool.add(call)
        if tool.ended:
            return
        if not tool.name:
            self._bound(tool.size)
            return
        said = fragment if was_named else "".join(tool.arguments)
        delta = {"type": "input_json_delta", "partial_json": said} if said else None
        self._say(call.index, tool.start(), delta)

    # --------------------------------------------------------- one after the other

    def _say(self, key: _Key, start: Json, delta: Json | None) -> None:
        """Add to a block: at once if it is its turn, else later."""
        if self._turn_to(key, start):
            if delta is not None:
                self._event("content_block_delta", index=self._index, delta=delta)
            return
        held = self._held.setdefault(key, _Held(start, []))
        if delta is not None:
            held.deltas.append(delta)
            self._held_chars += sum(map(len, delta.values()))
            self._bound(self._held_chars)

    @staticmethod
    def _bound(chars: int) -> None:
        if chars > MAX_HELD:
            raise UpstreamFailed("The backend mixed up too much of its answer", code="malformed")

    def _turn_to(self, key: _Key, start: Json) -> bool:
        """Make a block the open one, if the one that is open can be left."""
        if self._open == key:
            return True
        if self._held or not self._may_close():
            return False
        self._close()
        self._open_block(key, start)
        return True

    def _may_close(self) -> bool:
        return not isinstance(self._open, int) or self._tools[self._open].is_whole()

    def _open_block(self, key: _Key, start: Json) -> None:
        self._index += 1
        self._open = key
        self._event("content_block_start", index=self._index, content_block=start)

    def _close(self) -> None:
        if self._open is None:
            return
        if isinstance(self._open, int):
            self._tools[self._open].end()
        self._open = None
        self._event("content_block_stop", index=self._index)

    def _settle(self) -> None:
        """Nothing more comes: end the open block, then tell those that waited."""
        self._close()
        for index, tool in self._tools.items():
            if not (tool.name or tool.ended):
                partial = "".join(tool.arguments)
                delta: Json = {"type": "input_json_delta", "partial_json": partial}
                self._held[index] = _Held(tool.start(), [delta])
        for key, held in self._held.items():
            self._open_block(key, held.start)
            for delta in held.deltas:
                self._event("content_block_delta", index=self._index, delta=delta)
            self._close()
        self._held = {}

    # ------------------------------------------------------------------ out

    def _event(self, name: str, **fields: Any) -> None:
        data = msgspec.json.encode({"type": name, **fields})
        self._out.append(b"event: %b\ndata: %b\n\n" % (name.encode(), data))

    def _drain(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out


async def events(chunks: AsyncIterator[list[Chunk]], answered: Answered) -> AsyncIterator[bytes]:
    """A whole stream of events, from `message_start` to `message_stop`."""
    made = Events(answered)
    async for batch in chunks:
        if out := made.feed(batch):
            yield out
    yield made.end()


def _details_of(raw: bytes) -> Any:
    """Details of reasoning that only the bytes of a chunk hold."""
    for choice in msgspec.json.decode(raw).get("choices") or ():
        if not choice.get("index"):
            return (choice.get("delta") or {}).get("reasoning_details")
    return None

"""One tool call of a stream while its fragments come in."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from serve_app.core.types import ToolCallDelta
from serve_app.wire.anthropic.reply import Json, new_call_id

MAX_HELD = 4 << 20
"""Characters of one call's arguments that are kept to see whether they are whole."""


class Tool(Struct):
    """One tool call so far."""

    id: str = ""
    name: str = ""
    arguments: list[str] = []
    size: int = 0
    ended: bool = False

    def add(self, call: ToolCallDelta) -> str:
        self.id = self.id or call.id or ""
        fragment = ""
        if call.function is not None:
            self.name = self.name or call.function.name or ""
            fragment = call.function.arguments or ""
        self.size += len(fragment)
        if fragment and self.size <= MAX_HELD:
            self.arguments.append(fragment)
        return fragment

    def start(self) -> Json:
        self.id = self.id or new_call_id()
        return {"type": "tool_use", "id": self.id, "name": self.name, "input": {}}

    def end(self) -> None:
        self.ended = True
        self.arguments = []

    def is_whole(self) -> bool:
        """True if no further fragment can belong to the arguments."""
        if self.size > MAX_HELD:
            return False
        try:
            return isinstance(msgspec.json.decode("".join(self.arguments)), dict)
        except (msgspec.DecodeError, RecursionError):
            return False

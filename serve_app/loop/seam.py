"""A stream made of those of several answers: one id, one role, texts parted by a blank line."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from serve_app.core.types import Chunk, ChunkChoice
from serve_app.loop.said import TEXTS
from serve_app.wire.reply import payload

Json = dict[str, Any]

BETWEEN = "\n\n"
"""Between texts of two answers that are told as one."""

_object = msgspec.json.Decoder(Json)
_encode = msgspec.json.encode


class Seam:
    """
    Args:
        parts: whether texts of several answers are parted; else they follow one another.
    """

    def __init__(self, *, parts: bool) -> None:
        self._between = BETWEEN if parts else ""
        self._head: Chunk | None = None
        self._has_role = False
        self._step = 1
        self._spoken: dict[str, int] = {}
        """By text, the answer that said something of it last."""

    def next_step(self) -> None:
        self._step += 1

    def joined(self, chunk: Chunk) -> Chunk | None:
        """A chunk as a part of the whole; None: it says nothing there. The chunk given stays as it
        is: caches and histories keep it."""
        if self._head is None:
            self._head = chunk
        if self._step == 1:
            self._note(chunk)
            return chunk
        value = _object.decode(payload(chunk))
        value["id"], value["created"] = self._head.id, self._head.created
        choices = [self._joined(choice, value) for choice in chunk.choices]
        self._note(chunk)
        if not any(speaks(choice) for choice in choices) and chunk.usage is None:
            return None
        made = replace(chunk, id=self._head.id, created=self._head.created, choices=choices)
        made.raw = _encode(value)
        return made

    def _note(self, chunk: Chunk) -> None:
        for choice in chunk.choices:
            self._has_role = self._has_role or choice.delta.role is not None
            for name in TEXTS:
                if getattr(choice.delta, name):
                    self._spoken[name] = self._step

    def _joined(self, choice: ChunkChoice, value: Json) -> ChunkChoice:
        changes: Json = {}
        if self._has_role and choice.delta.role is not None:
            changes["role"] = None
        for name in TEXTS:
            text = getattr(choice.delta, name)
            if text and 0 < self._spoken.get(name, 0) < self._step:
                changes[name] = self._between + text
        if not changes:
            return choice
        for one in value.get("choices", ()):
            if one.get("index", 0) == choice.index:
                delta = one.setdefault("delta", {})
                delta.update(changes)
                if changes.get("role", "") is None:
                    delta.pop("role")
        return replace(choice, delta=replace(choice.delta, **changes))


def speaks(choice: ChunkChoice) -> bool:
    d = choice.delta
    return bool(
        choice.finish_reason is not None or d.role or d.tool_calls or d.content
        or d.reasoning_content or d.reasoning or d.refusal or d.reasoning_details
    )  # fmt: skip

"""The items of an answer while they are made, and the events that tell of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serve_app.wire.responses.sealed import sealed

Json = dict[str, Any]

Tell = Callable[..., None]
"""Tells of something: the event's type, and its fields."""


class Item:
    """What all have in common.

    Args:
        at: its place in the output.
    """

    kind = ""

    def __init__(self, tell: Tell, at: int, id_: str) -> None:
        self.at = at
        self.id = id_
        self._tell_all = tell
        self._is_closed = False

    def open(self) -> None:
        self._tell_all("response.output_item.added", output_index=self.at, item=self.begun())

    def close(self, status: str) -> None:
        """Nothing more comes. A second time does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._end()
        self.final = self.ended(status)
        self._tell_all("response.output_item.done", output_index=self.at, item=self.final)

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def begun(self) -> Json:
        raise NotImplementedError

    def ended(self, status: str) -> Json:
        raise NotImplementedError

    def _end(self) -> None:
        """Tell of the ends of its parts."""

    def _tell(self, event: str, **fields: Any) -> None:
        self._tell_all(f"response.{event}", item_id=self.id, output_index=self.at, **fields)


class Part:
    """A text of an item: pieces, whose sum is told at the end."""

    __slots__ = ("at", "kind", "logprobs", "pieces")

    def __init__(self, kind: str, at: int) -> None:
        self.kind = kind
        self.at = at
        self.pieces: list[str] = []
        self.logprobs: list[Json] = []

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def shown(self, text: str) -> Json:
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        if self.kind == "output_text":
            probable = self.logprobs if text else []
            return {"type": "output_text", "text": text, "annotations": [], "logprobs": probable}
        return {"type": self.kind, "text": text}


class Message(Item):
    """What the model says: a text, a refusal, or both."""

    kind = "msg"

    def __init__(self, tell: Tell, at: int, id_: str) -> None:
        super().__init__(tell, at, id_)
        self._parts: dict[str, Part] = {}

    def begun(self) -> Json:
        return {**self._shown("in_progress"), "content": []}

    def ended(self, status: str) -> Json:
        return self._shown(status)

    def say(self, text: str, logprobs: list[Json]) -> None:
        part = self._part("output_text")
        part.pieces.append(text)
        part.logprobs += logprobs
        if text:
            short = [_short(one) for one in logprobs]
            self._tell("output_text.delta", content_index=part.at, delta=text, logprobs=short)

    def refuse(self, text: str) -> None:
        part = self._part("refusal")
        part.pieces.append(text)
        self._tell("refusal.delta", content_index=part.at, delta=text)

    def _part(self, kind: str) -> Part:
        part = self._parts.get(kind)
        if part is None:
            part = self._parts[kind] = Part(kind, len(self._parts))
            self._tell("content_part.added", content_index=part.at, part=part.shown(""))
        return part

    def _end(self) -> None:
        for part in self._parts.values():
            if part.kind == "refusal":
                self._tell("refusal.done", content_index=part.at, refusal=part.text)
            else:
                short = [_short(one) for one in part.logprobs]
                self._tell(
                    "output_text.done", content_index=part.at, text=part.text, logprobs=short
                )
            self._tell("content_part.done", content_index=part.at, part=part.shown(part.text))

    def _shown(self, status: str) -> Json:
        content = [part.shown(part.text) for part in self._parts.values()]
        shown = {"id": self.id, "type": "message", "status": status}
        return {**shown, "role": "assistant", "content": content}


class Reasoning(Item):
    """What the model thinks: as it is, or in the place of a summary.

    Args:
        seals: whether what the provider wants back of it is shown.
    """

    kind = "rs"

    def __init__(self, tell: Tell, at: int, id_: str, *, sums_up: bool, seals: bool) -> None:
        super().__init__(tell, at, id_)
        self._part: Part | None = None
        self._details: list[Any] = []
        self._sums_up = sums_up
        self._seals = seals

    def begun(self) -> Json:
        return {"id": self.id, "type": "reasoning", "status": "in_progress", "summary": []}

    def ended(self, status: str) -> Json:
        shown: Json = {**self.begun(), "status": status}
        if self._part is not None:
            shown["summary" if self._sums_up else "content"] = [self._part.shown(self._part.text)]
        if self._seals:
            shown["encrypted_content"] = sealed(self._details) if self._details else None
        return shown

    def think(self, text: str) -> None:
        part = self._part or self._begin()
        part.pieces.append(text)
        self._tell(f"{self._name}.delta", delta=text, **self._place)

    def note(self, details: list[Any]) -> None:
        self._details += details

    def _begin(self) -> Part:
        part = self._part = Part("summary_text" if self._sums_up else "reasoning_text", 0)
        self._tell(f"{self._frame}.added", part=part.shown(""), **self._place)
        return part

    def _end(self) -> None:
        if (part := self._part) is not None:
            self._tell(f"{self._name}.done", text=part.text, **self._place)
            self._tell(f"{self._frame}.done", part=part.shown(part.text), **self._place)

    @property
    def _name(self) -> str:
        return "reasoning_summary_text" if self._sums_up else "reasoning_text"

    @property
    def _frame(self) -> str:
        return "reasoning_summary_part" if self._sums_up else "content_part"

    @property
    def _place(self) -> dict[str, int]:
        return {"summary_index" if self._sums_up else "content_index": 0}


class Call(Item):
    """A call of one of the caller's tools."""

    kind = "fc"

    def __init__(self, tell: Tell, at: int, id_: str, call_id: str, name: str) -> None:
        super().__init__(tell, at, id_)
        self.call_id = call_id
        self.name = name
        self._arguments: list[str] = []

    def begun(self) -> Json:
        return self._shown("in_progress", "")

    def ended(self, status: str) -> Json:
        return self._shown(status, "".join(self._arguments))

    def add(self, arguments: str) -> None:
        self._arguments.append(arguments)
        self._tell("function_call_arguments.delta", delta=arguments)

    def _end(self) -> None:
        arguments = "".join(self._arguments)
        self._tell("function_call_arguments.done", arguments=arguments, name=self.name)

    def _shown(self, status: str, arguments: str) -> Json:
        return {
            "id": self.id,
            "type": "function_call",
            "status": status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": arguments,
        }


def _short(probable: Json) -> Json:
    """A token's probability as events tell it."""
    top = [{"token": one["token"], "logprob": one["logprob"]} for one in probable["top_logprobs"]]
    return {"token": probable["token"], "logprob": probable["logprob"], "top_logprobs": top}

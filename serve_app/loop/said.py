"""One answer of the model, whole or as it comes: what it says, and which calls it asks for."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from serve_app.core.errors import UpstreamFailed
from serve_app.core.types import Chunk
from serve_app.wire.reply import payload

Json = dict[str, Any]

TEXTS = ("content", "reasoning_content", "reasoning")
"""Texts of a message that its reader is shown."""
_KEPT = (*TEXTS, "reasoning_details", "extra_content")
"""What the model wants back of an answer, besides its calls."""
_MAX_CHARS = 4 << 20
"""Of one answer's texts and arguments."""

_object = msgspec.json.Decoder(Json)


class Said(Struct):
    """An answer that is over."""

    texts: dict[str, str]
    more: Json
    """What else the model wants back."""
    calls: list[Json]
    """As in a message's `tool_calls`."""
    finish: str
    indexes: list[int] = []
    """Of the calls, in a stream."""

    def message(self, calls: list[Json]) -> Json:
        """It as a message of the next request, with some of its calls."""
        message: Json = {"role": "assistant", "content": None, **self.texts, **self.more}
        return {**message, "tool_calls": calls} if calls else message


def whole_said(chunk: Chunk, step: int) -> Said:
    """What a whole reply says.

    Args:
        step: number of the answer, for names of calls that have none.
    """
    choices = _object.decode(payload(chunk)).get("choices") or [{}]
    message = choices[0].get("message") or {}
    texts = {name: message[name] for name in TEXTS if isinstance(message.get(name), str)}
    more = {n: message[n] for n in _KEPT if n not in TEXTS and message.get(n) is not None}
    calls = [call for call in message.get("tool_calls") or () if isinstance(call, dict)]
    return Said(texts, more, _numbered(calls, step), str(choices[0].get("finish_reason") or ""))


class Hearing:
    """Puts an answer together while its chunks come.

    Args:
        step: as of `whole_said`.
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self._texts: dict[str, list[str]] = {}
        self._more: Json = {}
        self._calls: dict[int, Json] = {}
        self._finish = ""
        self._room = _MAX_CHARS

    def add(self, chunk: Chunk) -> None:
        """
        Raises:
            UpstreamFailed: the answer is longer than is held.
        """
        for choice in chunk.choices[:1]:
            delta = choice.delta
            for name in TEXTS:
                if text := getattr(delta, name):
                    self._take(len(text))
                    self._texts.setdefault(name, []).append(text)
            if isinstance(delta.reasoning_details, list):
                self._more.setdefault("reasoning_details", []).extend(delta.reasoning_details)
            if delta.tool_calls or b'"extra_content"' in chunk.raw:
                self._read(chunk)
            self._finish = choice.finish_reason or self._finish

    def said(self) -> Said:
        texts = {name: "".join(parts) for name, parts in self._texts.items()}
        indexes = sorted(self._calls)
        calls = _numbered([self._calls[at] for at in indexes], self._step)
        return Said(texts, self._more, calls, self._finish, indexes)

    def _read(self, chunk: Chunk) -> None:
        """Calls as they came: providers want back more of them than is in our types."""
        delta = (_object.decode(payload(chunk)).get("choices") or [{}])[0].get("delta") or {}
        if (extra := delta.get("extra_content")) is not None:
            self._more["extra_content"] = extra
        for part in delta.get("tool_calls") or ():
            call = self._calls.setdefault(part.get("index") or 0, {})
            function = part.get("function") or {}
            call.update({n: v for n, v in part.items() if n not in ("index", "function") and v})
            known = call.setdefault("function", {"name": "", "arguments": ""})
            for name in ("name", "arguments"):
                piece = function.get(name) or ""
                self._take(len(piece))
                known[name] += piece

    def _take(self, chars: int) -> None:
        self._room -= chars
        if self._room < 0:
            raise UpstreamFailed("The answer is too long to go on from", code="answer_too_long")


def _numbered(calls: list[Json], step: int) -> list[Json]:
    """Calls of functions, each with an id: some providers give none."""
    made: list[Json] = []
    for at, call in enumerate(calls):
        function = call.get("function")
        known: Json = function if isinstance(function, dict) else {}
        name, arguments = known.get("name"), known.get("arguments")
        made.append(
            {
                **call,
                "id": call.get("id") or f"call_{step}_{at + 1}",
                "type": call.get("type") or "function",
                "function": {
                    "name": name if isinstance(name, str) else "",
                    "arguments": arguments if isinstance(arguments, str) else "",
                },
            }
        )
    return made


def name_of(call: Json) -> str:
    """The function that a call is of."""
    return str(call["function"]["name"])

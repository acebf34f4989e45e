"""What a stored answer says, as one text: to be compared with another."""

from __future__ import annotations

from typing import Any

import msgspec

from serve_app.core.kept import Entry

_payloads = msgspec.msgpack.Decoder(list[bytes]).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode


def said(entry: Entry) -> str | None:
    """The text of all choices and tool calls; None for an answer that cannot be read so."""
    try:
        if not entry.streamed:
            return _joined(_texts(_object(entry.payload), "message"))
        pieces: dict[int, list[str]] = {}
        for event in _payloads(entry.payload):
            for index, text in _texts(_object(event), "delta"):
                pieces.setdefault(index, []).append(text)
    except (msgspec.MsgspecError, AttributeError, TypeError):
        return None
    return _joined([(index, "".join(parts)) for index, parts in pieces.items()])


def _texts(value: dict[str, Any], where: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for choice in value.get("choices", ()):
        index, message = choice.get("index", 0), choice.get(where) or {}
        if isinstance(content := message.get("content"), str):
            found.append((index, content))
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            found.append((index, f"{function.get('name') or ''}{function.get('arguments') or ''}"))
    return found


def _joined(texts: list[tuple[int, str]]) -> str | None:
    said = "\n".join(text.strip() for _, text in sorted(texts))
    return said or None

"""Placeholders of a turn that comes after one it did not know: numbered anew where both use one.

Two requests that read the same history may both call something `<EMAIL_1>`. The one that is kept
later gets other numbers, so that no placeholder ever stands for two values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from serve_app.core.screening import Names
from serve_app.core.types import Message

_PLACEHOLDER: Final = re.compile(r"<([A-Z][A-Z0-9_]{0,60})_([0-9]{1,9})>")
"""As `filters/vault.py` makes them."""


def renamed(turn: list[Message], names: Names, known: Names) -> tuple[list[Message], Names]:
    """A turn and its new placeholders, beside those that its conversation has by now."""
    taken = dict(known)
    new: dict[str, str] = {}
    for name, value in names:
        if taken.get(name, value) != value:
            new[name] = _free(name, {*taken, *dict(names), *new.values()})
    if not new:
        return turn, names
    return (
        [_with_names(message, new) for message in turn],
        tuple((new.get(name, name), value) for name, value in names),
    )


def _free(name: str, taken: set[str]) -> str:
    found = _PLACEHOLDER.fullmatch(name)
    kind, number = (found[1], int(found[2])) if found else (name.strip("<>"), 0)
    while (other := f"<{kind}_{number}>") in taken:
        number += 1
    return other


def _with_names(message: Message, new: Mapping[str, str]) -> Message:
    def put(text: str) -> str:
        return _PLACEHOLDER.sub(lambda found: new.get(found[0], found[0]), text)

    content, calls = message.content, message.tool_calls
    if isinstance(content, str):
        content = put(content)
    elif content is not None:
        content = [replace(p, text=put(p.text)) if p.text else p for p in content]
    if calls is not None:
        calls = [
            replace(c, function=replace(c.function, arguments=put(c.function.arguments)))
            if c.function is not None
            else c
            for c in calls
        ]
    return replace(message, content=content, tool_calls=calls)

"""Placeholders in an answer become the values again that they stand for; see `vault.py`."""

from __future__ import annotations

import re
from typing import Final

from serve_app.core.screening import Held, Names, Released, Tail
from serve_app.filters.escapes import quoted

_NAME: Final = re.compile(r"<([A-Z][A-Z0-9_]{0,60}_[0-9]{1,9})>")
# Some encoders of JSON write `<` as an escape.
_NAME_IN_JSON: Final = re.compile(
    r"(?:<|(?<!\\)\\u003[cC])([A-Z][A-Z0-9_]{0,60}_[0-9]{1,9})(?:>|\\u003[eE])"
)
_BEGUN: Final = re.compile(r"<[A-Z0-9_]{0,72}\Z")
_BEGUN_IN_JSON: Final = re.compile(
    r"(?:<|\\(?:u(?:0(?:0(?:3[cC]?)?)?)?)?)[A-Z0-9_]{0,72}(?:\\(?:u(?:0(?:0(?:3[eE]?)?)?)?)?)?\Z"
)
_LONGEST: Final = 90
"""Characters of what may be held back: a placeholder with both ends as escapes, not whole."""


class Restoring:
    """Reads the pieces of an answer as a filter does; of one caller, who may see the values."""

    def __init__(self, names: Names) -> None:
        self._values = {name[1:-1]: value for name, value in names}

    async def check_output(self, batch: list[Tail]) -> list[Released]:
        """What may go out, with the values in it."""
        return [self._read(tail) for tail in batch]

    def _read(self, tail: Tail) -> Released:
        text = tail.new if tail.held is None else tail.held.text + tail.new
        in_json = tail.place == "tool_arguments"
        if "<" not in text and not (in_json and "\\" in text):
            return Released(text)
        cut = len(text) if tail.final else _decided(text, in_json=in_json)
        said = text[:cut]
        if in_json:
            out = _NAME_IN_JSON.sub(lambda found: self._value(found, in_json=True), said)
        else:
            out = _NAME.sub(self._value, said)
        held = Held("", (text[cut:],)) if cut < len(text) else None
        return Released(out, held, out != said)

    def _value(self, found: re.Match[str], *, in_json: bool = False) -> str:
        value = self._values.get(found[1])
        if value is None:
            return found[0]
        return quoted(value) if in_json else value


def _decided(text: str, *, in_json: bool) -> int:
    """Where what may still become a placeholder begins."""
    window = max(0, len(text) - _LONGEST)
    begun = (_BEGUN_IN_JSON if in_json else _BEGUN).search(text, window)
    return len(text) if begun is None else begun.start()

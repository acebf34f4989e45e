"""Reversible redaction: the model sees `<EMAIL_1>`, the caller gets the real value back.

A vault names the values of one request. Its pairs live with the request (in a conversation,
encrypted beside it) and with nothing else: caches and histories hold placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from serve_app.core.screening import Names

_PLACEHOLDER: Final = re.compile(r"<([A-Z][A-Z0-9_]{0,60})_([0-9]{1,9})>")
_ESCAPED: Final = re.compile(r"\\u003([ceCE])")
"""`<` and `>` as some encoders of JSON write them."""


class Vault:
    """Gives values their placeholders: numbered by kind, equal for equal values.

    Args:
        names: placeholders from before, to go on from.
        texts: of the request; placeholders that they hold already are not given out, as nobody
            could tell later whose they were.
    """

    def __init__(self, names: Names, texts: Sequence[str]) -> None:
        self._texts = texts
        self._taken: set[str] | None = None
        self._names = dict(names)
        self._numbers: dict[str, int] = {}
        self._known = {(_kind(name), value): name for name, value in names}
        self._new: list[tuple[str, str]] = []

    def name(self, kind: str, value: str) -> str:
        """The placeholder of a value, such as `<EMAIL_1>` for the kind `EMAIL`."""
        known = self._known.get((kind, value))
        if known is None:
            known = self._known[kind, value] = self._next(kind)
            self._new.append((known, value))
        return known

    @property
    def new(self) -> Names:
        """Those given out that were not there before."""
        return tuple(self._new)

    def _next(self, kind: str) -> str:
        if self._taken is None:
            self._taken = {*self._names, *_placeholders(self._texts)}
        number = self._numbers.get(kind, 0) + 1
        while (name := f"<{kind}_{number}>") in self._taken:
            number += 1
        self._numbers[kind] = number
        return name


def _kind(name: str) -> str:
    found = _PLACEHOLDER.fullmatch(name)
    return found[1] if found else ""


def _placeholders(texts: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for text in texts:
        plain = _ESCAPED.sub(lambda m: "<" if m[1] in "cC" else ">", text)
        found.update(match[0] for match in _PLACEHOLDER.finditer(plain))
    return found

"""JSON text as the characters it stands for: what rules see of the arguments of tool calls.

The arguments come as JSON text, in pieces. A rule that looked at the text as written would read
`\\n13800138000` as a letter before a number, and `\\u0040` not at all. So it is shown what the
escapes mean, and every place of that leads back to the text as written.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import accumulate
from typing import NamedTuple

from msgspec import json

_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': "'"}
"""RFC 8259, 7. A quote is shown as another one: the real ones say where strings begin and end."""
_HEX = frozenset("0123456789abcdefABCDEF")

IN_STRING = '"'
OUTSIDE = " "
"""What context begins with: whether it stands in a string."""


class Shown(NamedTuple):
    """What is shown of a text."""

    text: str
    escapes: list[int]
    """Where escapes are, in what is shown."""
    shifts: list[int]
    """By how many escapes stand before a place: how far it is from that of the text as written."""

    def written(self, place: int) -> int:
        """The place in the text as written."""
        if not self.escapes:
            return place
        return place + self.shifts[bisect_left(self.escapes, place)]


def shown(raw: str, *, final: bool) -> Shown:
    """Arguments, or a piece of them that begins outside an escape.

    An escape at the end that is not whole yet is left out.
    """
    if "\\" not in raw:
        return Shown(raw, [], [])
    spans = [match.span() for match in _ESCAPE.finditer(raw)]
    end = len(raw) if final else _whole(raw, spans)
    spans = [span for span in spans if span[1] <= end]
    shifts = list(accumulate((stop - start - 1 for start, stop in spans), initial=0))
    parts: list[str] = []
    position = 0
    for start, stop in spans:
        parts += raw[position:start], _meant(raw[start + 1 : stop])
        position = stop
    parts.append(raw[position:end])
    places = [start - shift for (start, _), shift in zip(spans, shifts, strict=False)]
    return Shown("".join(parts), places, shifts)


def is_inside(context: str) -> bool:
    """True if what follows a context stands in a string."""
    return context.count('"') % 2 == 1


def context(text: str, end: int, size: int) -> str:
    """The last characters before `end` of a text that begins with a context, as one."""
    start = max(1, end - size)
    return (IN_STRING if is_inside(text[:start]) else OUTSIDE) + text[start:end]


def split(raw: str) -> list[str]:
    """A text as written, cut at the quotes where strings begin and end."""
    seen = shown(raw, final=True)
    parts: list[str] = []
    position = 0
    for part in seen.text.split('"'):
        end = position + len(part)
        parts.append(raw[seen.written(position) : seen.written(end)])
        position = end + 1
    return parts


def quoted(value: str) -> str:
    """A value as it stands within a string."""
    return json.encode(value).decode()[1:-1]


def unquoted(raw: str) -> str:
    """What a part of a string says; as written where it is no JSON by itself."""
    if "\\" not in raw:
        return raw
    try:
        return json.decode(f'"{raw}"', type=str)
    except ValueError:
        return raw


def _whole(raw: str, spans: list[tuple[int, int]]) -> int:
    """Where the part ends that more text will not change."""
    start, stop = spans[-1] if spans else (0, 0)
    rest = raw[stop:]
    if raw[start:stop] == "\\u" and len(rest) < 4 and _HEX.issuperset(rest):
        return start
    return len(raw) - rest.endswith("\\")


def _meant(escaped: str) -> str:
    if len(escaped) == 5:
        meant = chr(int(escaped[1:], 16))
        if meant == '"':
            return _SHORT[meant]
        # Half of a character is none, and no engine takes it.
        return "\ufffd" if "\ud800" <= meant <= "\udfff" else meant
    return _SHORT.get(escaped, escaped)

"""PromQL text in, words with their places out (prometheus.io/docs/prometheus/latest/querying)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_WORD: Final = re.compile(
    r"""(?P<space>(?:\s|\#[^\n]*)+)
    |(?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+)(?![\w.])
    |(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.])
    |(?P<name>[a-zA-Z_](?:[a-zA-Z0-9_:]*[a-zA-Z0-9_])?)
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?P<sign>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],:@])""",
    re.VERBOSE,
)
_UNITS: Final = {
    "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0,
}  # fmt: skip
_PART: Final = re.compile(r"([0-9]+)(ms|[smhdwy])")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


class BadExpression(ValueError):
    """An expression that cannot be used; the message names the place."""

    def __init__(self, what: str, text: str, place: int) -> None:
        line = text.count("\n", 0, place) + 1
        column = place - (text.rfind("\n", 0, place) + 1) + 1
        where = f"column {column}" if "\n" not in text.rstrip() else f"line {line}, column {column}"
        super().__init__(f"{what} ({where})")
        self.place = place


class Word(NamedTuple):
    kind: str
    """`name`, `number`, `duration`, `text`, `sign` or `end`."""
    text: str
    place: int
    """Characters before it."""


def words(text: str) -> list[Word]:
    """The words of an expression, and an `end`.

    Raises:
        BadExpression: something is no word of PromQL.
    """
    found: list[Word] = []
    place = 0
    while place < len(text):
        match = _WORD.match(text, place)
        if match is None:
            raise BadExpression(f"{text[place]!r} is not understood", text, place)
        if match.lastgroup != "space":
            found.append(Word(str(match.lastgroup), match[0], place))
        place = match.end()
    found.append(Word("end", "", len(text.rstrip())))
    return found


def seconds(duration: str) -> float:
    """`1h30m` in seconds."""
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


def unquoted(word: str) -> str:
    """What a quoted text says."""
    inner = word[1:-1]
    if word[0] == "`" or "\\" not in inner:
        return inner
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), inner)

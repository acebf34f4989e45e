r"""What a pattern in RE2's syntax is made of: how long its matches are, and how they begin.

The syntax is RE2's (https://github.com/google/re2/wiki/Syntax). Patterns come here after RE2 has
accepted them, so nothing is checked twice; capturing makes no difference here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias


class Char(NamedTuple):
    """One character; `text` is a pattern for it, flags included."""

    text: str


class Look(NamedTuple):
    r"""No character, but a condition on what stands beside it, such as `\b`."""

    text: str


class Sequence(NamedTuple):
    parts: tuple[Node, ...]


class Either(NamedTuple):
    parts: tuple[Node, ...]


class Repeat(NamedTuple):
    part: Node
    least: int
    most: int | None
    text: str
    """As written: `*`, `{2,}`."""


Node: TypeAlias = Char | Look | Sequence | Either | Repeat

_TOKEN = re.compile(
    r"""
    (?P<quoted>\\Q.*?(?:\\E|\Z))
  | (?P<look>\\[AbBz]|[\^$])
  | (?P<repeat>[*+?]\??|\{[0-9]+(?:,[0-9]*)?\}\??)
  | (?P<flags>\(\?(?P<names>[imsU]*(?:-[imsU]+)?)(?P<scope>[:)]))
  | (?P<open>\((?:\?P?<\w+>)?)
  | (?P<close>\))
  | (?P<bar>\|)
  | (?P<char>
        \[\^?\]?(?:\[:\^?\w+:\]|\\[pP]\{\^?\w+\}|\\.|[^\]\\])*\]
      | \\[pP](?:\{\^?\w+\}|.)
      | \\x(?:\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2})
      | \\[0-7]{1,3}
      | \\.
      | .
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_REPEATS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def parsed(pattern: str) -> Node:
    """The tree of a pattern that RE2 accepts.

    Raises:
        ValueError: it has a part that is no matter of characters.
    """
    return _Parser(pattern).alternatives("")


def longest(node: Node) -> int | None:
    """Characters of the longest match; None: there is no bound."""
    match node:
        case Char():
            return 1
        case Look():
            return 0
        case Repeat(part, _, most, _):
            length = longest(part)
            if length == 0 or most == 0:
                return 0
            return None if length is None or most is None else length * most
        case Sequence(parts):
            lengths = [longest(part) for part in parts]
            return None if None in lengths else sum(length or 0 for length in lengths)
        case Either(parts):
            lengths = [longest(part) for part in parts]
            return None if None in lengths else max(length or 0 for length in lengths)


def shortest(node: Node) -> int:
    """Characters of the shortest match."""
    match node:
        case Char():
            return 1
        case Look():
            return 0
        case Repeat(part, least, _, _):
            return least * shortest(part)
        case Sequence(parts):
            return sum(map(shortest, parts))
        case Either(parts):
            return min(map(shortest, parts))


def unbounded(node: Node) -> Iterator[str]:
    """The repetitions that have no upper bound, as written."""
    match node:
        case Repeat(part, _, most, text):
            if most is None and longest(part) != 0:
                yield text
            yield from unbounded(part)
        case Sequence(parts) | Either(parts):
            for part in parts:
                yield from unbounded(part)
        case _:
            return


def whole(node: Node) -> str:
    """A pattern for the node, without capturing and lazy repetition."""
    match node:
        case Char(text) | Look(text):
            return text
        case Repeat(part, least, most, _):
            return f"(?:{whole(part)}){{{least},{'' if most is None else most}}}"
        case Sequence(parts):
            return f"(?:{''.join(map(whole, parts))})"
        case Either(parts):
            return f"(?:{'|'.join(map(whole, parts))})"


def beginning(node: Node) -> str:
    """A pattern for the texts that more text may make a match, or a longer or another one.

    To be looked for at the end of a text, where the empty one always is. Not among them is a
    match that nothing can be added to. Conditions are only asked where something stands behind
    them, so never about what is not there yet.
    """
    match node:
        case Char() | Look():
            return ""
        case Repeat(part, _, most, _):
            if most == 0:
                return ""
            before = f"(?:{whole(part)}){{0,{'' if most is None else most - 1}}}"
            return before + beginning(part)
        case Sequence(parts):
            return _beginning_of_sequence(parts)
        case Either(parts):
            return f"(?:{'|'.join(map(beginning, parts))})"


def _beginning_of_sequence(parts: tuple[Node, ...]) -> str:
    if not parts:
        return ""
    begun = beginning(parts[-1])
    for part in reversed(parts[:-1]):
        if isinstance(part, Char | Look):
            begun = f"(?:{part.text}{begun})?"
        else:
            begun = f"(?:{beginning(part)}|{whole(part)}{begun})"
    return begun


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._tokens = _TOKEN.finditer(pattern)

    def alternatives(self, flags: str) -> Node:
        """Up to the end of the group. `flags` as in `(?i)`; they may change on the way."""
        choices: list[Node] = []
        parts: list[Node] = []
        for token in self._tokens:
            kind, text = token.lastgroup, token[0]
            if token["flags"] is not None:
                changed = _changed(flags, token["names"])
                if token["scope"] == ":":
                    parts.append(self.alternatives(changed))
                else:
                    flags = changed
            elif kind == "close":
                break
            elif kind == "bar":
                choices.append(Sequence(tuple(parts)))
                parts = []
            elif kind == "open":
                parts.append(self.alternatives(flags))
            elif kind == "repeat":
                parts.append(_repeat(parts.pop(), text))
            elif kind == "look":
                parts.append(Look(_with_flags(flags, text)))
            elif kind == "quoted":
                quoted = text[2:].removesuffix("\\E")
                parts += [Char(_with_flags(flags, re.escape(c))) for c in quoted]
            elif text == r"\C":
                raise ValueError(r"\C is a byte, not a character")
            else:
                parts.append(Char(_with_flags(flags, text)))
        choices.append(Sequence(tuple(parts)))
        return choices[0] if len(choices) == 1 else Either(tuple(choices))


def _repeat(part: Node, text: str) -> Repeat:
    written = text if text in _REPEATS else text.removesuffix("?")
    if written in _REPEATS:
        least, most = _REPEATS[written]
        return Repeat(part, least, most, text)
    first, comma, second = written.strip("{}").partition(",")
    if not comma:
        return Repeat(part, int(first), int(first), text)
    return Repeat(part, int(first), int(second) if second else None, text)


def _changed(flags: str, names: str) -> str:
    on, _, off = names.partition("-")
    return "".join(sorted((set(flags) | set(on)) - set(off)))


def _with_flags(flags: str, text: str) -> str:
    # U only turns round which repetitions are lazy.
    kept = flags.replace("U", "")
    return f"(?{kept}:{text})" if kept else text

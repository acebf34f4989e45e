"""How a text looks to a reader: odd digits, dashes and spaces plain, invisible characters gone.

Every place maps back to the text as it was given.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from typing import NamedTuple

MOST_HIDDEN = 4
"""So many invisible characters in a row are looked through; more of them part a word, which
bounds how long a match can be in the text as given."""
STRETCH = 1 + MOST_HIDDEN
"""Greatest number of characters as given for one that is seen."""

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
)
_WIDE = {0xFF01 + i: chr(0x21 + i) for i in range(94)}
# Full-width punctuation of running Chinese text is part of no pattern, and left alone it does not
# cost a translation of every text.
_WIDE = {code: c for code, c in _WIDE.items() if c not in ",:;!?()"}
_SPACES = dict.fromkeys(map(ord, "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
                            "\u2009\u200a\u202f\u205f\u3000"), " ")  # fmt: skip
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"), "-")
_SIGNS = {0xFE6B: "@", 0xFE52: ".", 0xFE62: "+", 0x2024: "."}
_DIGIT_BLOCKS = (
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6,
    0x0D66, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x17E0, 0x1810,
)  # fmt: skip
_DIGITS = {first + i: str(i) for first in _DIGIT_BLOCKS for i in range(10)}
# Mathematical letters and digits, which models and attackers alike write for emphasis.
_MATH = {
    code: plain
    for code in range(0x1D400, 0x1D800)
    if (plain := unicodedata.normalize("NFKC", chr(code))).isascii() and plain.isalnum()
}
_PLAIN: dict[int, str] = {**_WIDE, **_SPACES, **_DASHES, **_SIGNS, **_DIGITS, **_MATH}

_HIDDEN_RUN = re.compile(f"[{_INVISIBLE}]+")
_NARROW = "".join(re.escape(chr(code)) for code in sorted(_PLAIN.keys() - _MATH.keys()))
# The mathematical block as one range: `re` goes through a list beyond the BMP one by one.
_ODD = re.compile(f"[{_INVISIBLE}{_NARROW}\U0001d400-\U0001d7ff]")
QUESTION = "\x1f"
"""Stands for a question mark in `Sight.ascii`, where `?` stands for a character beyond ASCII."""


class Sight(NamedTuple):
    """A text as it is seen."""

    text: str
    ascii: bytes
    """As `text`, character for byte: `?` is any character beyond ASCII, QUESTION a real `?`."""
    kept: list[int] | None
    """Where each character of `text` stands in the text as given; None: all at their own place."""

    def place(self, seen: int, length: int) -> int:
        """Where a place of `text` is in the text as given, which has `length` characters."""
        if self.kept is None:
            return seen
        return self.kept[seen] if seen < len(self.kept) else length

    def seen(self, place: int) -> int:
        """The first place of `text` that is at or after a place of the text as given."""
        return place if self.kept is None else bisect_left(self.kept, place)


def see(text: str) -> Sight:
    """The text as it is seen."""
    if text.isascii():
        return Sight(text, _ascii(text), None)
    # Chinese text is full of these, and `replace` costs next to nothing.
    text = text.replace("（", "(").replace("）", ")")
    if not _ODD.search(text):
        return Sight(text, _ascii(text), None)
    # Odd characters are few: this is ten times as fast as `translate`.
    plain = _ODD.sub(_plain, text)
    if not _HIDDEN_RUN.search(plain):
        return Sight(plain, _ascii(plain), None)
    kept: list[int] = []
    position = 0
    for run in _HIDDEN_RUN.finditer(plain):
        kept.extend(range(position, run.start()))
        position = min(run.end(), run.start() + MOST_HIDDEN)
    kept.extend(range(position, len(plain)))
    shown = "".join(map(plain.__getitem__, kept))
    return Sight(shown, _ascii(shown), kept)


def _plain(odd: re.Match[str]) -> str:
    return _PLAIN.get(ord(odd[0]), odd[0])


def _ascii(text: str) -> bytes:
    return text.replace("?", QUESTION).encode("ascii", "replace")


def is_shown(c: str) -> bool:
    """True for a character beyond ASCII that stays as it is: part of no match."""
    return c > "\x7f" and c not in "（）" and not _ODD.match(c)

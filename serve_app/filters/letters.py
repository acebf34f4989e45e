"""Letters: every character of a text in its plain form, one by one, with the way back.

No character's form depends on its neighbours, so a text that is still arriving folds as the whole
will. The one exception is bounded: in a run of characters that are nothing (invisible characters,
marks) or white space, those after the first `GAP` are breaks that no word goes across. Else a
disguise could be endless, and a stream would have to be held for as long.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

import opencc

from serve_app.filters.normalize import HAN, plain_letters

GAP = 64
"""So many invisible characters, marks or spaces in a row a word may have inside it."""
BREAK = "\x00"
"""Stands for a character that ends whatever it is in; folded text has it from nowhere else."""

_MOST_KEPT = 1 << 16
_AT_ONCE = 1 << 14
"""Characters, half a millisecond: for so long a thread keeps the interpreter's lock."""
_WIDE_SPACE = re.compile(rf"\s{{{GAP + 1}}}")
_IS_HAN = re.compile(f"[{HAN}]")
_HAN_RANGES = (range(0x3400, 0xA000), range(0x20000, 0x323B0))


class Letters:
    """A text's letters: `text` is made of the plain forms of the characters of `sent`."""

    __slots__ = ("_places", "collapsed", "sent", "text")

    def __init__(self, sent: str) -> None:
        self.sent = sent
        self._places: Sequence[int] | None = None
        self.text, dropped = _plain_text(sent)
        self.collapsed = collapsed(self.text)
        """`text` with every white space as one space."""
        if dropped + len(self.text) - len(self.collapsed) >= GAP and (
            dropped or _WIDE_SPACE.search(self.text)
        ):
            self.text = "".join(c for c, _ in _walk(sent))
            self.collapsed = collapsed(self.text)
        elif not dropped and len(self.text) == len(sent):
            self._places = range(len(sent))

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The range of `sent` that `text[start:end]` (not empty) was made of: whole characters,
        the last one with the marks and invisible characters behind it."""
        last = self.place(end - 1)
        stop = last + 1
        limit = min(len(self.sent), stop + GAP)
        while stop < limit and not _PLAIN[self.sent[stop]]:
            stop += 1
        return self.place(start), stop

    def place(self, index: int) -> int:
        """Where in `sent` the character at `index` of `text` comes from."""
        if self._places is None:
            self._places = [place for _, place in _walk(self.sent)]
        return self._places[index]


def collapsed(text: str) -> str:
    """Without white space at the beginning, and every other as one space."""
    words = " ".join(text.split())
    return words + " " if words and text[-1].isspace() else words


def _plain_text(sent: str) -> tuple[str, int]:
    """The letters of `sent`, and how many of its characters are nothing.

    Not a sum of lengths: a dropped character and a ligature would cancel out.
    """
    if sent.isascii():
        text = plain_letters(sent)
        return text, len(sent) - len(text)
    parts: list[str] = []
    for begin in range(0, len(sent), _AT_ONCE):
        parts += map(_PLAIN.__getitem__, sent[begin : begin + _AT_ONCE])
    return "".join(parts), parts.count("")


def _walk(sent: str) -> Iterator[tuple[str, int]]:
    """Each letter with the place in `sent` that it comes from."""
    gap = 0
    for place, char in enumerate(sent):
        plain = _PLAIN[char]
        gap = gap + 1 if not plain or plain.isspace() else 0
        for c in plain if gap <= GAP else BREAK:
            yield c, place


class _Plain(dict[str, str]):
    """Plain forms by character, found out once. Bounded: callers choose the characters."""

    def __missing__(self, char: str) -> str:
        plain = plain_letters(char)
        if _IS_HAN.search(plain):
            plain = plain.translate(simplified())
        if len(self) < _MOST_KEPT:
            self[char] = plain
        return plain


_PLAIN = _Plain()


@functools.cache
def simplified() -> dict[int, int]:
    """Simplified forms of Han characters by traditional and regional variants (OpenCC's tables).

    Character by character, not by phrase: a word list is converted likewise, so it is enough that
    all variants of a character become the same one. Takes about 0.1 s, once.
    """
    steps = [opencc.OpenCC(name) for name in ("t2s", "hk2t", "tw2t", "t2s") * 2]
    sent = "\n".join(chr(code) for codes in _HAN_RANGES for code in codes)
    text = functools.reduce(lambda text, step: step.convert(text), steps, sent)
    pairs = zip(sent.split("\n"), text.split("\n"), strict=True)
    return {ord(char): ord(plain) for char, plain in pairs if char != plain}

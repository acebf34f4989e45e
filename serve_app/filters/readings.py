"""Readings: the ways in which disguised text may be meant, each with the way back to the text.

The first is always the plain one: letters with single spaces, without separators between Han
characters. Beside it, where there is something to read so: letters spaced out one by one as a
word (`k i l l`), and digits and symbols as letters (`k1ll`, `@ss`). All are tried; none takes
words away from another. Which reading a place has depends on three letters to either side at
most, so a text that is still arriving reads as the whole will; `open_readings` gives what its end
may still become.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from serve_app.filters.engine import tester
from serve_app.filters.letters import GAP, Letters, collapsed
from serve_app.filters.normalize import HAN, HAN_SEPARATORS, SEPARATORS, joined_han

REACH = 4 * (GAP + 1)
"""Characters of a text, to either side of a word, that decide how it is read."""

_SPACED_SEEN = rf"(?:^|[^a-z0-9])[a-z](?:[{SEPARATORS}][a-z]){{2,}}(?:[^a-z0-9]|$)"
_SPACED = re.compile(rf"(?<![a-z0-9])[a-z](?:[{SEPARATORS}][a-z]){{2,}}(?![a-z0-9])")
_SPACING = str.maketrans("", "", SEPARATORS)
_LONE_END = re.compile(rf"(?<![a-z0-9])[a-z][{SEPARATORS}]?\Z")
_SPACED_END = re.compile(rf"(?<![a-z0-9])([a-z](?:[{SEPARATORS}][a-z])*)[{SEPARATORS}]?\Z")
_HAN_END = re.compile(rf"(?<=[{HAN}])[{HAN_SEPARATORS}]{{1,3}}\Z")

_LEET = "0123456789@$+€"
# A letter beside what may be read as one, also where both are spaced out.
_LEET_SEEN = (
    r"[a-z][0-9@$+€!]|[0-9@$+€!][a-z]"
    rf"|(?:^|[^a-z0-9])(?:[a-z][{SEPARATORS}][0-9@$+€]|[0-9@$+€][{SEPARATORS}][a-z])(?:[^a-z0-9]|$)"
)
_IS_SPACED = tester(_SPACED_SEEN)
_SPACED_AT, _LEET_AT = 0, 1
_SEEN = tester(_SPACED_SEEN, _LEET_SEEN)
_LEET_AT_ALL = re.compile(f"[{_LEET}!]")
_LEET_RUN = re.compile(f"[{_LEET}]+")
_AS_I = str.maketrans(_LEET, "oizeasgtbgaste")
_AS_L = str.maketrans(_LEET, "olzeasgtbgaste")
_SIDE_BY_SIDE = re.compile(r"a[0$]|[0$]a")
# Elsewhere it ends a sentence.
_INNER_MARK = re.compile(rf"(?<=[a-z{_LEET}])!(?=[a-z{_LEET}])")


class Reading:
    """One way to read a text; `text` is what is read."""

    __slots__ = ("_indexes", "_letters", "_source", "is_leet", "text")

    def __init__(self, letters: Letters, source: str, text: str, is_leet: bool) -> None:
        """
        Args:
            source: as long as `letters.text`, some letters of it read as others.
            text: `source` without some separators, and with single spaces.
        """
        self._letters = letters
        self._source = source
        self._indexes: Sequence[int] | None = None
        self.text = text
        self.is_leet = is_leet

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The range of the text as sent that `text[start:end]` stands for."""
        return self._letters.original(self._index(start), self._index(end - 1) + 1)

    def place(self, index: int) -> int:
        """Where in the text as sent the character at `index` comes from."""
        return self._letters.place(self._index(index))

    def mixes(self, start: int, end: int) -> bool:
        """True if something in `text[start:end]` is read as letters, always beside real ones in
        the same word: two of them, or one if a symbol is read so. Numbers are no words, nor is
        `A55`, but `b4d` and `a$$` are."""
        sent = "".join(self._letters.text[self._index(i)] for i in range(start, end))
        read = self.text[start:end]
        kinds = "".join(_kind(c, r) for c, r in zip(sent, read, strict=True))
        words = [word for word in kinds.split(" ") if "0" in word or "$" in word]
        return bool(words) and all(map(_is_mixed, words))

    def _index(self, index: int) -> int:
        if self._indexes is None:
            same = len(self.text) == len(self._source)
            self._indexes = range(len(self.text)) if same else list(self._found_again())
        return self._indexes[index]

    def _found_again(self) -> Iterator[int]:
        """For each character of `text` its place in `source`.

        What is dropped is never what is looked for next, so the first that fits is the one.
        """
        places = iter(enumerate(self._source))
        for wanted in self.text:
            for place, c in places:
                if c == wanted or (wanted == " " and c.isspace()):
                    yield place
                    break


class _Desk(threading.local):
    """What a thread has read of the texts of the request that it judges."""

    known: dict[tuple[str, bool], list[Reading]] | None = None


_DESK = _Desk()


@contextmanager
def one_request() -> Iterator[None]:
    """Inside, a text that several word lists are looked for in is read once."""
    _DESK.known = {}
    try:
        yield
    finally:
        _DESK.known = None


def readings_of(text: str, leet: bool) -> Iterable[Reading]:
    """All readings of a whole text."""
    known = _DESK.known
    if known is None:
        return readings(Letters(text), leet)
    found = known.get((text, leet))
    if found is None:
        found = known[text, leet] = list(readings(Letters(text), leet))
    return found


class Folded:
    """A text in its plain reading: the folded `text`, and the way back to the text as sent."""

    __slots__ = ("_reading", "sent", "text")

    def __init__(self, sent: str) -> None:
        self.sent = sent
        self._reading = _plainly(Letters(sent))
        self.text = self._reading.text

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The range of `sent` that `text[start:end]` (not empty) stands for."""
        return self._reading.original(start, end)


def readings(letters: Letters, leet: bool) -> Iterator[Reading]:
    """All readings of a whole text."""
    yield _plainly(letters)
    seen = _SEEN.Match(letters.text) or ()
    if _SPACED_AT in seen:
        yield _joined(letters, letters.text, False)
    if leet and _LEET_AT in seen:
        for source in _as_letters(letters.text):
            yield Reading(letters, source, joined_han(collapsed(source)), True)
            if _IS_SPACED.Match(source):
                yield _joined(letters, source, True)


def open_readings(letters: Letters, leet: bool) -> Iterator[Reading]:
    """What any reading of a longer text can have in place of this one, up to where it is sure.

    A word that more text may complete or undo is begun in one of them, from where it begins to
    the end of the reading.
    """
    yield from _open(letters, letters.text, False)
    if leet and _LEET_AT_ALL.search(letters.text):
        for source in _as_letters(letters.text):
            yield from _open(letters, source, True)
            if source.endswith("!"):
                yield from _open(letters, source[:-1], True)


def _plainly(letters: Letters) -> Reading:
    return Reading(letters, letters.text, joined_han(letters.collapsed), False)


def _joined(letters: Letters, source: str, is_leet: bool) -> Reading:
    return Reading(letters, source, joined_han(collapsed(_unspaced(source))), is_leet)


def _open(letters: Letters, source: str, is_leet: bool) -> Iterator[Reading]:
    for text in _open_texts(source):
        yield Reading(letters, source, text, is_leet)
        if separators := _HAN_END.search(text, max(0, len(text) - 3)):
            yield Reading(letters, source, text[: separators.start()], is_leet)


def _open_texts(source: str) -> Iterator[str]:
    yield joined_han(collapsed(source))
    run = _SPACED_END.search(source) if _LONE_END.search(source, max(0, len(source) - 2)) else None
    if run is None:
        if _IS_SPACED.Match(source):
            yield joined_han(collapsed(_unspaced(source)))
        return
    # The last letter may turn out to be the first of a word, and then the run ends before it.
    letters = run[1].translate(_SPACING)
    yield joined_han(collapsed(_unspaced(source[: run.start()]) + (letters[:-1] or letters)))


def _unspaced(source: str) -> str:
    return _SPACED.sub(lambda run: run[0].translate(_SPACING), source)


def _as_letters(text: str) -> Iterator[str]:
    """`text` with digits and symbols read as letters, 1 as an i and as an l."""
    marked = _INNER_MARK.sub("1", text) if "!" in text else text
    yield _translated(marked, _AS_I)
    if "1" in marked:
        yield _translated(marked, _AS_L)


def _translated(text: str, table: dict[int, int]) -> str:
    if text.isascii():
        return text.translate(table)
    return _LEET_RUN.sub(lambda run: run[0].translate(table), text)


def _kind(sent: str, read: str) -> str:
    """`0` and `$` for a digit or symbol that is read as a letter, `a` for a letter."""
    if read == " ":  # a line feed, maybe
        return " "
    if sent != read:
        return "0" if sent.isdigit() else "$"
    return "a" if "a" <= sent <= "z" else "."


def _is_mixed(kinds: str) -> bool:
    # Side by side as in `_LEET_SEEN`: what that does not see must not be found by chance.
    return bool(_SIDE_BY_SIDE.search(kinds)) and (kinds.count("a") >= 2 or "$" in kinds)

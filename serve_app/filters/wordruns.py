"""Runs of words that another text has as well: long quotations, whatever was done to the layout.

Words are compared folded (case, accents, full-width forms, invisible characters); punctuation,
bullet marks and line breaks between them do not count. A Han character is half a word. A run
begins with so many words in a row as make it one (a window) and goes on as long as every word
begins another such window, up to `_MOST_MORE` times that many; what is longer is several runs.
Everything is linear in the text, and what a text has in a place depends on nothing before it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from serve_app.filters.normalize import HAN, plain_letters

_WORD_WEIGHT, _HAN_WEIGHT = 2, 1
_LONGEST_WORD = 40
"""Characters; longer ones are no words and end a run."""
_GAP = 16
"""Characters between words; more of them end a run."""
_MOST_MORE = 2

_INSIDE = "\u00ad\u0300-\u036f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff"
_LETTER = rf"[^\W_{HAN}]|[{_INSIDE}]"
_WORD = re.compile(rf"[{HAN}]|(?:{_LETTER})+")
_ASCII_WORD = re.compile("[a-z0-9]+")
_IS_LETTER = re.compile(_LETTER)
_IS_HAN = re.compile(f"[{HAN}]")


class Run(NamedTuple):
    """A range of a text, in characters."""

    start: int
    end: int


class _Word(NamedTuple):
    number: int
    """In the other text's vocabulary; -1: not there."""
    start: int
    end: int
    weight: int


class WordRuns:
    """Finds the runs of words that a text shares with `texts`.

    Args:
        least: words (two Han characters each) that make a run; 2 or more.
    """

    def __init__(self, texts: Iterable[str], least: int) -> None:
        self._least = least * _WORD_WEIGHT
        self._numbers: dict[str, int] = {}
        self._pairs: set[tuple[int, int]] = set()
        self._windows: set[int] = set()
        for text in texts:
            self._learn(text)
        self._sorted = sorted(self._numbers)
        self.longest = (2 * least + _MOST_MORE * self._least + 1) * (_LONGEST_WORD + _GAP)

    def find(self, text: str, start: int = 0) -> Iterator[Run]:
        """The runs that begin at or after `start`, in order, without overlap."""
        if text.isascii() and not self._may_have_runs(text[start:]):
            return
        for chain in self._chains(self._words(text, start)):
            yield from self._runs(chain)[0]

    def undecided(self, text: str, start: int = 0) -> int:
        """Where a run may begin that more text would complete or lengthen; else the length."""
        words = list(self._words(text, start))
        end = len(text)
        if words and words[-1].end == end and not _IS_HAN.match(text, end - 1):
            last = words.pop()
            if not self._may_become_word(text[last.start :]):
                return end
            end = last.start
        if not words or end - words[-1].end > _GAP:
            return end
        *_, chain = [[], *self._chains(words)]
        if not chain or chain[-1] is not words[-1]:
            return end
        first_open = self._runs(chain)[1]
        return chain[first_open].start if first_open < len(chain) else end

    def _may_have_runs(self, text: str) -> bool:
        """False if no words of ASCII text are enough in a row; 5 times as fast as to look where."""
        known = self._numbers.get
        numbers = [known(word, -1) for word in _ASCII_WORD.findall(text.lower())]
        pairs, weight = self._pairs, 0
        for pair in pairwise(numbers):
            weight = weight + _WORD_WEIGHT if pair in pairs else 0
            if weight + _WORD_WEIGHT >= self._least:
                return True
        return False

    def _learn(self, text: str) -> None:
        numbers = self._numbers
        for word in _folded(text, 0):
            numbers.setdefault(word[0], len(numbers))
        words = list(self._words(text, 0))
        self._pairs.update((a.number, b.number) for a, b in pairwise(words))
        ids = [word.number for word in words]
        for first, last in self._spans(words):
            self._windows.add(hash(tuple(ids[first : last + 1])))

    def _words(self, text: str, start: int) -> Iterator[_Word]:
        """The words from `start` on, with a word that is none in every gap that is too long."""
        known = self._numbers.get
        before = -1
        for word, first, end in _folded(text, start):
            if before >= 0 and first - before > _GAP:
                yield _Word(-1, first, first, 0)
            before = end
            if end - first > _LONGEST_WORD:
                yield _Word(-1, first, end, 0)
            elif word:
                is_han = word >= "\u3400" and _IS_HAN.match(text, first)
                weight = _HAN_WEIGHT if is_han else _WORD_WEIGHT
                yield _Word(known(word, -1), first, end, weight)

    def _chains(self, words: Iterable[_Word]) -> Iterator[list[_Word]]:
        """Words in a row of which each two follow one another in the other text."""
        chain: list[_Word] = []
        for word in words:
            if chain and (chain[-1].number, word.number) not in self._pairs:
                yield chain
                chain = []
            if word.number >= 0:
                chain.append(word)
            elif chain:
                yield chain
                chain = []
        if chain:
            yield chain

    def _spans(self, words: list[_Word]) -> Iterator[tuple[int, int]]:
        """For each word that begins a window without a break: its place and that of its end."""
        last, weight = -1, 0
        breaks = -1
        for first in range(len(words)):
            while weight < self._least:
                last += 1
                if last == len(words):
                    return
                weight += words[last].weight
                if words[last].number < 0:
                    breaks = last
            if breaks < first:
                yield first, last
            weight -= words[first].weight

    def _runs(self, chain: list[_Word]) -> tuple[list[Run], int]:
        """The runs in a chain, and the first word whose run the end of the chain cuts off."""
        ids = [word.number for word in chain]
        ends = dict(self._spans(chain))
        runs: list[Run] = []
        first = 0
        while first in ends:
            last, more = -1, first
            while more in ends and hash(tuple(ids[more : ends[more] + 1])) in self._windows:
                last = ends[more]
                if more - first >= _MOST_MORE * self._least:
                    break
                more += 1
            if last < 0:
                first += 1
                continue
            runs.append(Run(chain[first].start, chain[last].end))
            if more not in ends:
                return runs, first
            first = last + 1
        return runs, first

    def _may_become_word(self, beginning: str) -> bool:
        """True if a word of the other text may begin so."""
        if len(beginning) > _LONGEST_WORD:
            return False
        if not beginning.isascii():  # a mark to come may still change its last letter
            return True
        folded = plain_letters(beginning)
        place = bisect_left(self._sorted, folded)
        return place < len(self._sorted) and self._sorted[place].startswith(folded)


def _folded(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """The words that begin at or after `start`, folded (some to nothing), and where they are."""
    if start and _IS_LETTER.match(text, start - 1) and (cut := _WORD.match(text, start)):
        start = start if _IS_HAN.match(text, start) else cut.end()
    for word in _WORD.finditer(text, start):
        yield plain_letters(word[0]), word.start(), word.end()

"""Sensitive words: a list of up to 100,000 in one automaton, whole words only, in any disguise.

Lists are read and checked when the policy arrives, never while a request waits.
"""

from __future__ import annotations

import bisect
import hashlib
import re
from collections.abc import Iterator

import ahocorasick_rs

from serve_app.config.policy import WordsRule
from serve_app.filters.base import Match
from serve_app.filters.letters import GAP, Letters
from serve_app.filters.normalize import HAN, HAN_SEPARATORS
from serve_app.filters.ranges import merged, unsettled
from serve_app.filters.readings import REACH, Folded, open_readings, readings_of
from serve_app.filters.wordlist import folded_words

_HEAD_CHARS = 3
"""So much of a word is looked up in a set before the list is searched."""
_READ_BEFORE = 8
"""Letters before a word that are more than enough to know how it is read."""
_PER_AUTOMATON = 25_000
"""Building one keeps all threads waiting: 40 ms for so many. Each takes 5 us per kB of text."""
_LOOSE_END = re.compile(rf"^[{HAN_SEPARATORS}]+(?=[{HAN}])|(?<=[{HAN}])[{HAN_SEPARATORS}]+$")

# Scripts that write words without spaces between them: Thai to Myanmar, kana and Han.
_UNSPACED = re.compile("[\u0e00-\u109f\u3040-\u30ff\u3400-\u9fff\U00020000-\U000323af]")


class WordsFinder:
    """Implements `filters.base.Finder` for one word list. Holds nothing of what it saw.

    Building takes about 0.5 s and 30 MiB for 100,000 words, so not on an event loop.

    Raises:
        PolicyRejected: a list that cannot be read, is empty, or holds a word that cannot match.
    """

    before = REACH

    def __init__(self, words: WordsRule, place: str) -> None:
        """
        Args:
            place: where the rule stands, for error messages: `filter.rules['NAME']`.
        """
        self._leet = words.leet
        self._words = sorted(set(folded_words(words, place, _folded)))
        self.digest = hashlib.sha256("\n".join(self._words).encode()).hexdigest()
        """Names the words themselves, wherever they were read from."""
        self._automata = [
            ahocorasick_rs.AhoCorasick(self._words[i : i + _PER_AUTOMATON])
            for i in range(0, len(self._words), _PER_AUTOMATON)
        ]
        self._heads = {word[:n] for word in self._words for n in range(1, _HEAD_CHARS + 1)}
        self._longest_word = max(map(len, self._words))
        self._widest = 2 * self._longest_word + 4 * GAP
        """Characters of the text as sent that a word may take up, with its disguise."""

    @property
    def longest(self) -> int:
        return 2 * self._widest + REACH

    def find(self, text: str, start: int = 0) -> list[Match]:
        base = _context(text, start)
        hits = [
            (base + first, base + last)
            for first, last in self._hits(text[base:])
            if base + first >= start
        ]
        return merged("word", hits, self._widest) if hits else []

    def has_any(self, text: str) -> bool:
        """True if any word of the list is in the text."""
        return next(self._hits(text), None) is not None

    def undecided(self, text: str, start: int = 0) -> int:
        begun = self._begun(text, start)
        return unsettled(self.find(text, start), begun) if begun < len(text) else begun

    def _hits(self, text: str) -> Iterator[tuple[int, int]]:
        """Every whole word in any reading, as a range of the text."""
        for reading in readings_of(text, self._leet):
            for start, end in self._occurrences(reading.text):
                if _is_whole(reading.text, start, end) and (
                    not reading.is_leet or reading.mixes(start, end)
                ):
                    first, last = reading.original(start, end)
                    if last - first <= self._widest:
                        yield first, last

    def _occurrences(self, text: str) -> Iterator[tuple[int, int]]:
        """All of them, not the leftmost-longest ones: "bomb maker" must not hide the "bomb" of
        "bomb makers", where only the shorter one is a whole word."""
        for automaton in self._automata:
            for _, start, end in automaton.find_matches_as_indexes(text, overlapping=True):
                yield start, end

    def _begun(self, text: str, start: int) -> int:
        """Where the first word begins that more text may complete, lengthen or undo."""
        decided = max(start, len(text) - self._widest - REACH)
        base, letters = self._tail(text, max(0, decided - REACH))
        first = len(text)
        for reading in open_readings(letters, self._leet):
            places = (base + reading.place(index) for index in self._begins(reading.text))
            first = min(first, next((place for place in places if place >= decided), first))
        return first

    def _tail(self, text: str, earliest: int) -> tuple[int, Letters]:
        """As much of the end of the text as may matter, and where it begins.

        No reading makes less than a fourth of the letters (three separators for a Han
        character), so a short end is enough wherever it is not full of disguise.
        """
        needed = 4 * (self._longest_word + _READ_BEFORE)
        base = len(text) - needed - GAP
        if base > earliest:
            letters = Letters(text[base:])
            if len(letters.collapsed) >= needed:
                return base, letters
        return earliest, Letters(text[earliest:])

    def _begins(self, text: str) -> Iterator[int]:
        """Where words begin that go on to the end of the text, or may go on behind it."""
        for i in range(max(0, len(text) - self._longest_word), len(text)):
            if text[i : i + _HEAD_CHARS] in self._heads and not (
                i and _joined(text[i - 1], text[i])
            ):
                tail = text[i:]
                next_word = bisect.bisect_left(self._words, tail)
                if next_word < len(self._words) and self._words[next_word].startswith(tail):
                    yield i


def _context(text: str, start: int) -> int:
    """Where to begin to read, so that it is known what stands before `start`."""
    near = start - 2 * _READ_BEFORE
    if near > 0 and len(Letters(text[near:start]).collapsed) >= _READ_BEFORE:
        return near
    return max(0, start - REACH)


def _folded(word: str) -> str:
    """As it is looked for. Separators at an end that touch Han characters are not part of it:
    whether a text has them there depends on what else is there."""
    return _LOOSE_END.sub("", Folded(word).text.strip())


def _is_whole(text: str, start: int, end: int) -> bool:
    return not (
        (start > 0 and _joined(text[start - 1], text[start]))
        or (end < len(text) and _joined(text[end - 1], text[end]))
    )


def _joined(left: str, right: str) -> bool:
    """True if both belong to one word of a script that separates its words by spaces."""
    return left.isalnum() and right.isalnum() and not _UNSPACED.search(left + right)

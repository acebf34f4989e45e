"""Sensitive words: every list in one automaton, whole words only, longest first.

Folded text goes in, the hits of each list come out. Lists are read and checked when the
policy arrives, never while a request waits.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import ahocorasick_rs

from serve_app.config.policy import WordList
from serve_app.config.shipped import shipped
from serve_app.core.errors import PolicyRejected
from serve_app.filters.normalize import fold

MAX_FILE_BYTES = 16 << 20
MAX_WORD_CHARS = 200

# Scripts that write words without spaces between them: Thai to Myanmar, kana and Han.
_UNSPACED = re.compile("[\u0e00-\u109f\u3040-\u30ff\u3400-\u9fff\U00020000-\U000323af]")


class Span(NamedTuple):
    """A range of folded characters."""

    start: int
    end: int


class Lexicon:
    """The word lists of one policy.

    Raises:
        PolicyRejected: a list that cannot be read, is empty, or holds a word that cannot match.
    """

    def __init__(self, lists: Sequence[WordList]) -> None:
        self.lists = tuple(lists)
        _check_names(self.lists)
        owners: dict[str, list[int]] = {}
        for number, words in enumerate(self.lists):
            for word in _folded_words(words):
                owners.setdefault(word, []).append(number)
        self.digest = hashlib.sha256(repr(sorted(owners.items())).encode()).hexdigest()
        """Names the words themselves, wherever they were read from."""
        self._owners = list(owners.values())
        self._automaton = ahocorasick_rs.AhoCorasick(list(owners)) if owners else None

    def search(self, folded: str) -> dict[int, list[Span]]:
        """Hits by number of the list, leftmost-longest and without overlap within a list."""
        if self._automaton is None:
            return {}
        # All matches, not the leftmost-longest ones: "bomb maker" must not hide the "bomb" of
        # "bomb makers", where only the shorter one is a whole word.
        found = self._automaton.find_matches_as_indexes(folded, overlapping=True)
        by_list: dict[int, list[Span]] = {}
        for word, start, end in found:
            if _is_whole(folded, start, end):
                for number in self._owners[word]:
                    by_list.setdefault(number, []).append(Span(start, end))
        return {number: _leftmost_longest(spans) for number, spans in by_list.items()}


def _check_names(lists: Sequence[WordList]) -> None:
    names = [words.name for words in lists]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PolicyRejected(f"filter.words: names must be unique, got twice: {', '.join(twice)}")


def _folded_words(words: WordList) -> Iterator[str]:
    """The list's words as they are looked for, each at least once."""
    seen = 0
    for place, word in _entries(words):
        folded = fold(word)
        if not folded:
            raise PolicyRejected(f"{place}: {word!r} has no character that could be looked for")
        if len(folded) > MAX_WORD_CHARS:
            raise PolicyRejected(f"{place}: longer than {MAX_WORD_CHARS} characters")
        seen += 1
        yield folded
    if not seen:
        raise PolicyRejected(f"filter.words[{words.name!r}]: no words; give `words` or `file`")


def _entries(words: WordList) -> Iterator[tuple[str, str]]:
    """Each word with the place it stands at, for error messages."""
    for i, word in enumerate(words.words):
        yield f"filter.words[{words.name!r}].words[{i}]", word
    if words.file is not None:
        lines = _read(words.name, words.file).splitlines()
        for number, line in enumerate(lines, start=1):
            word = line.strip()
            if word and not word.startswith("#"):
                yield f"filter.words[{words.name!r}]: {words.file}:{number}", word


def _read(name: str, file: str) -> str:
    try:
        path = Path(file) if Path(file).is_absolute() else shipped(file)
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise PolicyRejected(
                f"filter.words[{name!r}].file: {file!r} is larger than {MAX_FILE_BYTES} bytes"
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise PolicyRejected(f"filter.words[{name!r}].file: {file!r}: {reason}") from error
    except UnicodeDecodeError as error:
        raise PolicyRejected(f"filter.words[{name!r}].file: {file!r} is not UTF-8") from error


def _is_whole(text: str, start: int, end: int) -> bool:
    return not (
        (start > 0 and _joined(text[start - 1], text[start]))
        or (end < len(text) and _joined(text[end - 1], text[end]))
    )


def _joined(left: str, right: str) -> bool:
    """True if both belong to one word of a script that separates its words by spaces."""
    return _spells(left) and _spells(right)


def _spells(c: str) -> bool:
    return c.isalnum() and not _UNSPACED.match(c)


def _leftmost_longest(spans: Iterable[Span]) -> list[Span]:
    chosen: list[Span] = []
    end = 0
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if span.start >= end:
            chosen.append(span)
            end = span.end
    return chosen

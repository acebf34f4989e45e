"""What words mean to the guards: which are the same, exclude one another, say nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

_FOLDER = Path(__file__).resolve().parent / "lexicons"

LONGEST_PHRASE = 10
"""Words of the longest phrase in the files."""


class Lexicon(Struct, frozen=True):
    """Groups of words of one language, known by their stems; phrases have `_` between them."""

    same: dict[str, frozenset[int]]
    """Groups in which a word or phrase is one of several that mean the same."""
    apart: dict[str, frozenset[int]]
    """Groups in which it excludes all others."""
    weak: frozenset[str]
    """Words and phrases that may be there or not."""
    light: frozenset[str]
    """Words that say little: a few of them may differ."""
    asks: dict[str, int]
    """Ways to begin a question, by the group of those that ask alike."""

    def are_same(self, one: str, other: str) -> bool:
        return not self.same.get(one, _NONE).isdisjoint(self.same.get(other, _NONE))

    def are_apart(self, one: str, other: str) -> bool:
        """True for words of which one makes the other wrong, unless they also mean the same."""
        return (
            one != other
            and not self.apart.get(one, _NONE).isdisjoint(self.apart.get(other, _NONE))
            and not self.are_same(one, other)
        )


_NONE: frozenset[int] = frozenset()


@lru_cache(maxsize=4)
def load(language: str, stem: Callable[[str], str]) -> Lexicon:
    """The lexicon of `en` or `zh`; reads a file, once.

    Args:
        stem: gives the form under which a word is known.
    """
    groups: dict[str, dict[str, set[int]]] = {mark: defaultdict(set) for mark in "=!~-?"}
    text = (_FOLDER / f"{language}.txt").read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        mark, _, rest = line.partition(" ")
        if mark in groups:
            for word in rest.split():
                groups[mark][_form(word, stem)].add(number)
    return Lexicon(
        same={word: frozenset(found) for word, found in groups["="].items()},
        apart={word: frozenset(found) for word, found in groups["!"].items()},
        weak=frozenset(groups["~"]),
        light=frozenset(groups["-"]),
        asks={word: min(found) for word, found in groups["?"].items()},
    )


def _form(word: str, stem: Callable[[str], str]) -> str:
    if not word.isascii() and "_" not in word:
        return "_".join(word)  # a word of Han characters is a phrase of them
    return "_".join(stem(part) for part in word.split("_"))

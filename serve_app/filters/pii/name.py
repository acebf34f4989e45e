"""Names of people, by a recogniser that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from serve_app.filters.base import Match

Recogniser = Callable[[str], Iterable[tuple[int, int]]]
"""A text in, the ranges of names out, in characters."""

LONGEST = 65_536
"""Characters of a text that is still arriving that are held until it is whole."""


class NameFinder:
    """A Finder of kind `name`.

    What a recogniser makes of a word depends on the whole text. So of a text that is still
    arriving nothing is decided, up to LONGEST characters; use it for texts that arrive whole.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    @property
    def before(self) -> int:
        return 0

    @property
    def longest(self) -> int:
        return LONGEST

    def find(self, text: str, start: int = 0) -> list[Match]:
        found: list[Match] = []
        end = start
        for begin, stop in sorted(self._recogniser(text)):
            if end <= begin < stop <= len(text):
                found.append(Match("name", begin, stop))
                end = stop
        return found

    def undecided(self, text: str, start: int = 0) -> int:
        return min(len(text), max(start, len(text) - LONGEST))

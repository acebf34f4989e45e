"""A Finder of fixed texts, simple enough to be seen to be exact."""

from __future__ import annotations

import re
from collections.abc import Sequence

from serve_app.filters.base import Match


class LiteralFinder:
    """Finds literals, by kind, that no letter or digit stands beside."""

    before = 1

    def __init__(self, literals: dict[str, Sequence[str]]) -> None:
        self._kinds = {text: kind for kind, texts in literals.items() for text in texts}
        longest_first = sorted(self._kinds, key=len, reverse=True)
        found = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{found})(?![A-Za-z0-9])")

    @property
    def longest(self) -> int:
        return max(map(len, self._kinds)) + 1

    def find(self, text: str, start: int = 0) -> list[Match]:
        found = self._pattern.finditer(text, start)
        return [Match(self._kinds[match[0]], *match.span()) for match in found]

    def undecided(self, text: str, start: int = 0) -> int:
        for at in range(max(start, len(text) - self.longest), len(text)):
            if any(literal.startswith(text[at:]) for literal in self._kinds):
                return at
        return len(text)

"""Several finders as one, for texts that arrive whole."""

from __future__ import annotations

from collections.abc import Sequence

from serve_app.filters.base import Finder, Match


class Together:
    """Of matches that overlap, that of the finder counts which stands first."""

    def __init__(self, finders: Sequence[Finder]) -> None:
        self._finders = finders
        self.before = max(finder.before for finder in finders)
        self.longest = max(finder.longest for finder in finders)

    def find(self, text: str, start: int = 0) -> list[Match]:
        found: list[Match] = []
        for finder in self._finders:
            known = tuple(found)
            found += (
                match
                for match in finder.find(text, start)
                if not any(match.start < other.end and other.start < match.end for other in known)
            )
        return sorted(found, key=lambda match: match.start)

    def undecided(self, text: str, start: int = 0) -> int:
        return min(finder.undecided(text, start) for finder in self._finders)

"""A text that arrives in pieces, as a rule sees it: what a finder makes of it in the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from serve_app.filters.base import Finder, Match


def found_in_pieces(finder: Finder, pieces: Iterable[str]) -> list[Match]:
    """The matches, at their places in the whole text.

    As a stream is filtered: no more is kept than the finder asks for, what is decided is gone.
    """
    matches: list[Match] = []
    kept, start, base = "", 0, 0
    pieces = [*pieces, None]  # type: ignore[list-item]
    for piece in pieces:
        kept += piece or ""
        cut = len(kept) if piece is None else finder.undecided(kept, start)
        assert start <= cut <= len(kept)
        assert piece is None or len(kept) - cut <= finder.longest
        for match in finder.find(kept, start):
            if match.start < cut:
                matches.append(Match(match.kind, match.start + base, match.end + base))
                cut = max(cut, match.end)
        dropped = max(0, cut - finder.before)
        kept, start, base = kept[dropped:], cut - dropped, base + dropped
    return matches


def in_two(text: str) -> Iterable[Sequence[str]]:
    """The text split at every place."""
    return ((text[:i], text[i:]) for i in range(len(text) + 1))


def one_by_one(text: str) -> Sequence[str]:
    return list(text)

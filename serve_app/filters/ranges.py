"""Ranges: overlapping finds made one, in a way that a text in pieces comes to as the whole does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from serve_app.filters.base import Match


def merged(kind: str, ranges: Iterable[tuple[int, int]], longest: int) -> list[Match]:
    """The ranges in order, those that overlap made one unless it gets longer than `longest`.

    A range that would make it too long is left out: without that limit finds could overlap
    without end, and nothing of a stream could go out. Each single one is shorter.
    """
    matches: list[Match] = []
    for start, end in sorted(ranges):
        if not matches or start >= matches[-1].end:
            matches.append(Match(kind, start, end))
        elif end > matches[-1].end and end - matches[-1].start <= longest:
            matches[-1] = Match(kind, matches[-1].start, end)
    return matches


def unsettled(matches: Sequence[Match], undecided: int) -> int:
    """`undecided`, or where the match begins that a find from there on may still lengthen."""
    for match in reversed(matches):
        if match.start < undecided < match.end:
            return match.start
    return undecided

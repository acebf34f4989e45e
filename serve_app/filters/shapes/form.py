"""One form that a kind of thing takes: its shape, and who judges what has that shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import re2

from serve_app.filters.base import Match
from serve_app.filters.shapes.shape import Shape
from serve_app.filters.shapes.sight import Sight

NO = -1
"""What a judge says to a candidate that is not what it looks like."""

Judge = Callable[[str, int, int], int]
"""The text as it is seen, and where a candidate begins and ends: where the match ends (never
later), or NO. Looks at no more than BEFORE characters before the candidate and two behind it."""

BEFORE = 96
"""Characters before a candidate that a judge may look at, and the longest cue."""
BEHIND = 2
"""Characters behind a candidate that a judge may look at."""
_MAX_MEMORY = 32 << 20


class Form(NamedTuple):
    """What a match looks like.

    Attributes:
        hint: RE2 that every match has in it, or in its cue; short, because all hints are looked
            for at once and in every text.
        cue: what stands before the match and is not part of it. Its last character is none that
            the shape can begin with.
        head: what every match begins with, where the shape is `unending`. It is searched for, and
            the shape then looked for in no more than its longest.
        behind: signs behind a candidate, as written between brackets, that the judge looks at
            together with the character after them.
    """

    kind: str
    shape: Shape
    judge: Judge
    hint: str
    cue: Shape | None = None
    behind: str = r".\-"
    head: Shape | None = None


def compiled(pattern: str) -> re2._Regexp:
    """For bytes: character and byte places are the same in what is searched."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    return re2.compile(pattern.encode(), options)


def beginnings(form: Form) -> str:
    """RE2 for what more text may turn into a match, or lengthen, or undo."""
    part, loose = form.shape.part, form.shape.loose
    return f"{part}|{loose}[{form.behind}]" if form.behind else part


class Search:
    """Finds the matches of one form."""

    def __init__(self, form: Form) -> None:
        self.kind = form.kind
        self._judge = form.judge
        self._longest = form.shape.longest
        self._cue = form.cue.longest + 1 if form.cue else 0
        # A group costs RE2 a slower engine, so there is one only where the whole is not the match.
        self._group = 1 if form.cue else 0
        self._pattern = _after(form.cue, form.head or form.shape)
        self._whole = _after(form.cue, form.shape) if form.head else None

    def next(self, sight: Sight, start: int) -> Match | None:
        """The first match that begins at or after `start`.

        Whether one begins at a place depends only on BEFORE characters before that place, and on
        the longest that the shape may be and what is looked at behind it.
        """
        position = max(0, start - self._cue)
        while candidate := self._pattern.search(sight.ascii, position):
            position = candidate.start() + 1
            begin, end = candidate.span(self._group)
            if begin < start:
                continue
            if self._whole:
                end = self._end(sight, candidate.start(), begin)
            if end != NO and (end := self._judge(sight.text, begin, end)) != NO:
                return Match(self.kind, begin, end)
        return None

    def _end(self, sight: Sight, first: int, begin: int) -> int:
        assert self._whole is not None
        whole = self._whole.match(sight.ascii, first, begin + self._longest)
        return int(whole.end()) if whole else NO


def _after(cue: Shape | None, shape: Shape) -> re2._Regexp:
    return compiled(f"(?:{cue.whole})({shape.whole})" if cue else shape.whole)

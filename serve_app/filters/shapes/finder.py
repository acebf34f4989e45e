"""Finds things of several forms, in whole texts and in texts that are still arriving."""

from __future__ import annotations

from collections.abc import Sequence

import re2

from serve_app.filters.base import Match
from serve_app.filters.shapes.form import BEFORE, BEHIND, Form, Search, beginnings, compiled
from serve_app.filters.shapes.sight import MOST_HIDDEN, STRETCH, Sight, is_shown, see

_MAX_MEMORY = 32 << 20
"""Bytes that RE2 may use; the hints need less than 1 MB."""
_BEFORE = (BEFORE + 1) * STRETCH + MOST_HIDDEN


class ShapeFinder:
    """A Finder (see filters/base.py) for forms; of matches that overlap, the first one counts,
    and of those that begin together the one whose form stands first.

    Whether a match begins at a place depends on a bounded part of the text around that place, and
    the search has no memory besides where it is. So what is found before the first place where
    a form has begun and is not over is what the whole text has there.
    """

    def __init__(self, forms: Sequence[Form]) -> None:
        self._searches = [Search(form) for form in forms]
        self._hints = _hints(forms)
        self._open = _Open(forms)
        self._longest_seen = max(form.shape.longest for form in forms) + BEHIND
        self._longest = self._longest_seen * STRETCH

    @property
    def before(self) -> int:
        return _BEFORE

    @property
    def longest(self) -> int:
        return self._longest

    def find(self, text: str, start: int = 0) -> list[Match]:
        sight = see(text)
        hinted = self._hints.Match(sight.ascii)
        if not hinted:
            return []
        found = self._scan(sight, sorted(hinted), sight.seen(start))
        if sight.kept is None:
            return found
        kept = sight.kept
        return [Match(m.kind, kept[m.start], kept[m.end - 1] + 1) for m in found]

    def _scan(self, sight: Sight, hinted: Sequence[int], position: int) -> list[Match]:
        searches = [self._searches[i] for i in hinted]
        coming = [search.next(sight, position) for search in searches]
        found: list[Match] = []
        while first := min(filter(None, coming), key=_start, default=None):
            found.append(first)
            for i, match in enumerate(coming):
                if match and match.start < first.end:
                    coming[i] = searches[i].next(sight, first.end)
        return found

    def undecided(self, text: str, start: int = 0) -> int:
        length = len(text)
        if start >= length or is_shown(text[-1]):
            return length
        base = max(0, max(start, length - self._longest) - _BEFORE)
        sight = see(text[base:])
        earliest = max(sight.seen(start - base), len(sight.text) - self._longest_seen)
        return base + sight.place(self._open.first(sight, earliest), length - base)


class _Open:
    """Where forms have begun that more text may complete."""

    def __init__(self, forms: Sequence[Form]) -> None:
        plain = [beginnings(form) for form in forms if form.cue is None]
        cued = [(form.cue.loose, beginnings(form)) for form in forms if form.cue is not None]
        either = plain + [f"(?:{cue})(?:{part})" for cue, part in cued]
        self._any = compiled(rf"(?:{'|'.join(either)})\z")
        self._plain = compiled(rf"(?:{'|'.join(plain)})\z") if plain and cued else None
        self._cued = [compiled(rf"(?:{cue})({part})\z") for cue, part in cued]
        self._cue = max((form.cue.longest + 1 for form in forms if form.cue), default=0)

    def first(self, sight: Sight, earliest: int) -> int:
        """The first such place at or after `earliest`; the length of the text if none."""
        position = max(0, earliest - self._cue)
        opened = self._any.search(sight.ascii, position)
        if opened is None:
            return len(sight.ascii)
        if not self._cued:
            return int(opened.start())
        first = len(sight.ascii)
        if self._plain and (opened := self._plain.search(sight.ascii, earliest)):
            first = opened.start()
        return min(first, *(_begin(p, sight, position, earliest) for p in self._cued))


def _begin(pattern: re2._Regexp, sight: Sight, position: int, earliest: int) -> int:
    while opened := pattern.search(sight.ascii, position):
        if opened.start(1) >= earliest:
            return int(opened.start(1))
        position = opened.start() + 1
    return len(sight.ascii)


def _hints(forms: Sequence[Form]) -> re2.Set:
    """The hints of all forms: one pass over a text says which forms it may have."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    hints = re2.Set.SearchSet(options)
    for form in forms:
        hints.Add(form.hint.encode())
    hints.Compile()
    return hints


def _start(match: Match) -> int:
    return match.start

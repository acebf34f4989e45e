"""Finds what a regular expression describes. RE2: no pattern takes more than linear time."""

from __future__ import annotations

import sys

import re2

from serve_app.core.errors import PolicyRejected
from serve_app.filters import regex_tree
from serve_app.filters.base import Match
from serve_app.filters.normalize import encodable

LONGEST = 4096
"""Characters of the longest match that a stream is held back for."""
_LARGEST = 20_000
"""Instructions of a program that looks for beginnings: with 500,000 one look takes 10 ms."""


class RegexFinder:
    """Implements `filters.base.Finder` for one pattern.

    Args:
        place: where the rule stands, for error messages: `filter.rules['NAME']`.
        on_streams: whether answers are read with it; their matches must be bounded in length.

    Raises:
        PolicyRejected: the pattern is none, finds empty texts, or has no bound; says which part.
    """

    before = 1

    def __init__(
        self, pattern: str, ignore_case: bool, place: str, *, on_streams: bool = True
    ) -> None:
        self._pattern = _compiled(pattern, ignore_case, place)
        tree = _parsed(pattern, place)
        if not regex_tree.shortest(tree):
            raise PolicyRejected(f"{place}.pattern: {pattern!r} matches the empty text")
        self._longest = regex_tree.longest(tree)
        if on_streams:
            _check_bound(self._longest, tree, place)
        self._begun = self._beginning(tree, ignore_case)

    @property
    def longest(self) -> int:
        return sys.maxsize if self._longest is None else self._longest + 1

    def find(self, text: str, start: int = 0) -> list[Match]:
        base = max(0, start - 1)
        found = self._pattern.finditer(encodable(text[base:]), start - base)
        return [Match("regex", base + match.start(), base + match.end()) for match in found]

    def undecided(self, text: str, start: int = 0) -> int:
        if self._longest is None:
            return start
        decided = max(start, len(text) - self._longest - 1)
        if self._begun is None:
            return decided
        base = max(0, decided - 1)
        match = self._begun.search(encodable(text[base:]), decided - base)
        return base + int(match.start())

    def _beginning(self, tree: regex_tree.Node, ignore_case: bool) -> re2._Regexp | None:
        """What matches the end of a text that a match may have begun in. None: that would be too
        large, and then all that is not too long is held."""
        if self._longest is None:
            return None
        try:
            begun = re2.compile(rf"(?:{regex_tree.beginning(tree)})\z", _options(ignore_case))
        except re2.error:
            return None
        return begun if begun.programsize <= _LARGEST else None


def _compiled(pattern: str, ignore_case: bool, place: str) -> re2._Regexp:
    try:
        return re2.compile(encodable(pattern), _options(ignore_case))
    except re2.error as error:
        reason = error.args[0]
        if isinstance(reason, bytes):
            reason = reason.decode(errors="replace")
        raise PolicyRejected(f"{place}.pattern: {pattern!r}: {reason}") from None


def _parsed(pattern: str, place: str) -> regex_tree.Node:
    try:
        return regex_tree.parsed(pattern)
    except ValueError as error:
        raise PolicyRejected(f"{place}.pattern: {pattern!r}: {error}") from None


def _options(ignore_case: bool) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.case_sensitive = not ignore_case
    return options


def _check_bound(longest: int | None, tree: regex_tree.Node, place: str) -> None:
    if longest is None:
        endless = next(regex_tree.unbounded(tree))
        raise PolicyRejected(
            f"{place}.pattern: {endless!r} has no upper bound, but so much of an answer would have "
            "to be held back; write how often at most, such as {0,200} or {1,200}"
        )
    if longest > LONGEST:
        raise PolicyRejected(
            f"{place}.pattern: matches up to {longest} characters, {LONGEST} at most can be held "
            "back; lower its bounds"
        )

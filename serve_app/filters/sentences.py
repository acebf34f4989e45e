"""Folded text in passages, and those in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

PASSAGE_CHARS = 1024
_LAST_STOP = 256
"""A passage ends behind the last full stop in so many characters; without one, so many belong to
the next passage as well."""
_LONGEST, _OVERLAP = 300, 100
"""Longer sentences are cut, with an overlap: text without full stops is not one thought."""
# Full stops inside of `evil.example` or `e.g.` end nothing; Chinese ones have no space behind.
_STOP = re.compile(r"[.!?;] |[!?;。](?=[^\x00-\x7f])")


def passages(folded: str) -> Iterator[str]:
    """The text (`normalize.fold`) in pieces that end where a sentence does."""
    start, length = 0, len(folded)
    while length - start > PASSAGE_CHARS:
        end = start + PASSAGE_CHARS
        stop = max(folded.rfind(mark, end - _LAST_STOP, end) for mark in (". ", "。", "? ", "! "))
        if stop >= 0:
            end = stop + 1
        yield folded[start:end]
        start = end if stop >= 0 else end - _LAST_STOP
    if start < length:
        yield folded[start:]


def sentences(passage: str) -> Iterator[str]:
    start = 0
    for stop in _STOP.finditer(passage):
        yield from _pieces(passage, start, stop.end())
        start = stop.end()
    yield from _pieces(passage, start, len(passage))


def _pieces(passage: str, start: int, end: int) -> Iterator[str]:
    yield passage[start : min(start + _LONGEST, end)]
    for first in range(start + _LONGEST, end, _LONGEST - _OVERLAP):
        yield passage[first - _OVERLAP : min(first - _OVERLAP + _LONGEST, end)]

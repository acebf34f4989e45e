"""Folded text in passages, and those in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

PASSAGE_CHARS = 1024
_LAST_STOP = 256
"""A passage ends behind the last full stop in so many characters, if there is one."""
_LONGEST = 300
"""Longer sentences are cut: text without full stops is not one thought."""
# Full stops inside of `evil.example` or `e.g.` end nothing; Chinese ones have no space behind.
_STOP = re.compile(r"[.!?;] |[!?;。](?=[^\x00-\x7f])")


def passages(folded: str) -> Iterator[str]:
    """The text (`normalize.fold`) in pieces that end where a sentence does."""
    start, length = 0, len(folded)
    while length - start > PASSAGE_CHARS:
        end = start + PASSAGE_CHARS
        stop = max(folded.rfind(mark, end - _LAST_STOP, end) for mark in (". ", "。", "? ", "! "))
        end = stop + 1 if stop >= 0 else end
        yield folded[start:end]
        start = end
    if start < length:
        yield folded[start:]


def sentences(passage: str) -> Iterator[str]:
    start = 0
    for stop in _STOP.finditer(passage):
        yield from _pieces(passage, start, stop.end())
        start = stop.end()
    yield from _pieces(passage, start, len(passage))


def _pieces(passage: str, start: int, end: int) -> Iterator[str]:
    for first in range(start, end, _LONGEST):
        yield passage[first : min(first + _LONGEST, end)]

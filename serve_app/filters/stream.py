"""Filters an answer while it arrives: whatever the pieces, the same text comes out.

Only the end of the text that could still become part of an e-mail address or phone number is
held back: the last unbroken run of characters such things are made of, and before it the groups
of digits that single spaces join to it. So a cut never has a match across it, nor a character
that a match depends on, and the filtered parts put together are the filtered whole.

A run that never ends is cut after all, at a place that depends on the run alone.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import Literal

import re2

from serve_app.core.types import Finding, Released, Tail
from serve_app.filters.patterns import LONGEST_PHONE, REPLACEMENT, ZERO_WIDTH, Match, find, plain

Action = Literal["redact", "flag"]

WINDOW = 512
"""Characters of an unbroken run that are looked at before its first part goes out."""
PIECE = 4096
"""Characters looked at in one step; a longer text is the stream of its pieces."""
_FORCED_CUT = 256

_RUN = string.ascii_letters + string.digits + "._%+-@/#()" + ZERO_WIDTH
_WIDE_RUN = "".join(chr(ord(c) + 0xFEE0) for c in _RUN if c.isascii())
_RUN_AS_SENT = _RUN + _WIDE_RUN + "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63"
_LONG_RUN = re2.compile(f"[{re2.escape(_RUN)}]{{{WINDOW}}}")
_SUSPECT = re.compile("[0-9@０-９＠]")
_BEFORE_SPACE = frozenset(string.digits + ")")
_AFTER_SPACE = frozenset(["", "(", *string.digits])


def filter_tail(tail: Tail, action: Action) -> Released:
    """Filter what can be decided of `held + new` and hold the rest."""
    text = tail.held + tail.new
    if not _SUSPECT.search(text):
        cut = len(text) if tail.final else len(text.rstrip(_RUN_AS_SENT))
        if len(text) - cut < WINDOW:
            return Released(text[:cut], text[cut:])
    matches, cut = _decide(plain(text), tail.final)
    if not matches:
        return Released(text[:cut], text[cut:])
    counts = Counter(match.kind for match in matches)
    findings = tuple(Finding(f"pii:{kind}", action, n) for kind, n in sorted(counts.items()))
    if action == "flag":
        return Released(text[:cut], text[cut:], False, findings)
    return Released(_redacted(text[:cut], matches), text[cut:], True, findings)


def _redacted(text: str, matches: list[Match]) -> str:
    parts: list[str] = []
    position = 0
    for match in matches:
        parts += text[position : match.start], REPLACEMENT[match.kind]
        position = match.end
    parts.append(text[position:])
    return "".join(parts)


def _decide(text: str, final: bool) -> tuple[list[Match], int]:
    """The matches of the decided part of `text`, and where that part ends."""
    matches: list[Match] = []
    cut = 0
    for end in range(PIECE, len(text) + PIECE, PIECE):
        last = end >= len(text)
        found, length = _decide_piece(text[cut:end], final and last)
        matches += _moved(found, cut)
        cut += length
    return matches, cut


def _decide_piece(text: str, final: bool) -> tuple[list[Match], int]:
    matches: list[Match] = []
    cut = 0
    while len(text) - cut >= WINDOW and (run := _LONG_RUN.search(text, cut)):
        found = _moved(find(text[cut : run.end()]), cut)
        cut = _cut_in_run(found, *run.span())
        matches += (match for match in found if match.end <= cut)
    found = _moved(find(text[cut:]), cut)
    end = len(text) if final else max(cut, _undecided(text, found))
    matches += (match for match in found if match.end <= end)
    return matches, end


def _moved(matches: list[Match], by: int) -> list[Match]:
    if not by:
        return matches
    return [Match(match.kind, match.start + by, match.end + by) for match in matches]


def _cut_in_run(matches: list[Match], start: int, end: int) -> int:
    """Where to cut a run that is too long: beside a match that is in the way.

    One that fills the whole window is longer than any address; its rest is looked at anew.
    """
    cut = start + _FORCED_CUT
    for match in matches:
        if match.start < cut < match.end and (match.start, match.end) != (start, end):
            return match.start if match.start > start else match.end
    return cut


def _undecided(text: str, matches: list[Match]) -> int:
    """Start of the part at the end of `text` that more text may change."""
    start = len(text.rstrip(_RUN))
    while _joins(text, start) and _visible(text[start:]) < LONGEST_PHONE:
        start = len(text[: start - 1].rstrip(_RUN))
    for match in reversed(matches):
        if match.start < start < match.end:
            return match.start
    return start


def _joins(text: str, start: int) -> bool:
    """True if the space before `start` may be one inside a phone number."""
    return (
        text[start - 1 : start] == " "
        and text[: start - 1].rstrip(ZERO_WIDTH)[-1:] in _BEFORE_SPACE
        and text[start:].lstrip(ZERO_WIDTH)[:1] in _AFTER_SPACE
    )


def _visible(text: str) -> int:
    return len(text) if text.isascii() else len(text) - sum(map(text.count, ZERO_WIDTH))

"""Texts of which it is known where what is looked for stands, and the recall and precision of a
Finder on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from serve_app.filters.base import Finder, Match

_BEFORE = ["", "My details: ", "Please write down ", "我的信息是", "请记录：", "He said “", "见（",
           "(",
           "The value is ", "联系方式 "]  # fmt: skip
_AFTER = ["", ".", ", thanks", "，谢谢", "。", " and so on", "”好的", "）", ")", "\nNext line",
          "这是我的", "; next"]  # fmt: skip
_GAP = [" ", "\n", "，"]
_FILLER = [
    "The meeting went on for 2 hours in room 12. ",
    "In 2024 prices rose by 3.5 percent. ",
    "今天天气很好，我们在3楼开会。",
    "第15章有120页，共7个表。",
    "Nothing else to add here. ",
    "",
]


class Source(NamedTuple):
    """Makes valid things and near misses; a `\\0` in one parts what stands before from it."""

    valid: Callable[[Random], str]
    near_miss: Callable[[Random], str]


class Labelled(NamedTuple):
    """A text and the range of the one thing in it; None: there is nothing in it."""

    text: str
    span: tuple[int, int] | None


class Score(NamedTuple):
    """Counts over texts, half of them with one thing, half with a near miss."""

    right: int
    missed: int
    false: int

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed)

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.false) if self.right else 0.0


def labelled(source: Source, count: int, seed: int) -> Iterator[Labelled]:
    """So many texts with a valid thing, and as many with a near miss."""
    rng = Random(seed)
    for _ in range(count):
        yield _in_text(source.valid(rng), rng, is_valid=True)
        yield _in_text(source.near_miss(rng), rng, is_valid=False)


def _in_text(made: str, rng: Random, is_valid: bool) -> Labelled:
    cue, _, rest = made.rpartition("\0")
    thing, _, behind = rest.partition("\1")
    before = rng.choice(_FILLER) + rng.choice(_BEFORE) + cue
    text = before + thing + behind + rng.choice(_AFTER) + rng.choice(_GAP) + rng.choice(_FILLER)
    return Labelled(text, (len(before), len(before) + len(thing)) if is_valid else None)


def score(finder: Finder, texts: Iterator[Labelled]) -> Score:
    """A thing counts as found where its range is exactly right."""
    right = missed = false = 0
    for text, span in texts:
        found = {(match.start, match.end) for match in finder.find(text)}
        right += span in found
        missed += span is not None and span not in found
        false += len(found - {span})
    return Score(right, missed, false)


def in_pieces(finder: Finder, pieces: list[str]) -> list[Match]:
    """What is found in a text that arrives in pieces: what a rule on a stream does, without
    replacing anything. Checks what `undecided` promises."""
    found: list[Match] = []
    text, cut = "", 0
    for i, piece in enumerate(pieces):
        text += piece
        base = max(0, cut - finder.before)
        seen, start = text[base:], cut - base
        decided = len(seen)
        if i < len(pieces) - 1:
            decided = finder.undecided(seen, start)
            assert start <= decided <= len(seen) <= decided + finder.longest
        new = [m for m in finder.find(seen, start) if m.start < decided]
        found += [Match(m.kind, m.start + base, m.end + base) for m in new]
        cut = base + max(decided, new[-1].end if new else 0)
    return found

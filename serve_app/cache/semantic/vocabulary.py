"""How common a word is: the rank that it has in the vocabulary of BERT, which lists them so.

`vocab.txt` is that of bert-base-uncased (Google, Apache-2.0), which the embedder reads by, too.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path

VOCABULARY = Path(__file__).resolve().parent / "vocab.txt"

_FIRST_WORD = 1996
"""Line of `the`; before it stand signs and letters."""


class Vocabulary:
    """Common words and how common they are."""

    def __init__(self, words: list[str]) -> None:
        self._rank = {word: at for at, word in enumerate(words) if at >= _FIRST_WORD}
        self._scale = math.log(len(words))

    def knows(self, word: str) -> bool:
        """True for a common word as it stands: not a misspelling, not a rare name."""
        return word in self._rank

    def rarity(self, word: str) -> float:
        """From 0 (the commonest) to 1 (not listed)."""
        rank = self._rank.get(word)
        return 1.0 if rank is None else math.log(1 + rank - _FIRST_WORD) / self._scale


@lru_cache(maxsize=1)
def load() -> Vocabulary:
    """The shipped vocabulary; reads a file, once."""
    return Vocabulary(VOCABULARY.read_text(encoding="utf-8").splitlines())

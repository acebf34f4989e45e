"""The words of a text as numbers: a text in, its words' buckets and signs out.

Words are hashed into a fixed number of buckets (no vocabulary to keep, none to leak); a second
bit of the hash is the sign, so that two words in one bucket do not add up on average.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

import numpy as np

from serve_app.routing.learned.numbers import Floats, Ints

BUCKETS: Final = 4096
"""4,096, 16,384 and 65,536 rank alike on 7,754 examples; the fewer the smaller the file."""

_WORD: Final = re.compile(r"[^\W\u2e80-\u9fff\uac00-\ud7af]+|[^\s]")
"""A run of letters and digits, or one sign; of Chinese, Japanese and Korean one character.
Both arms are character classes, so that time is linear in the text."""


class Words:
    """Distinct words of one text, as buckets and as +1 or -1."""

    __slots__ = ("buckets", "signs")

    def __init__(self, text: str) -> None:
        hashes = sorted(_hash(word) for word in set(_WORD.findall(text.lower())))
        codes = np.array(hashes, np.int64)
        self.buckets: Ints = codes % BUCKETS
        self.signs: Floats = 1.0 - 2.0 * (codes >> 31)


def _hash(word: str) -> int:
    """32 bits, the same on every machine (Python's own hash is salted)."""
    return zlib.crc32(word.encode("utf-8", "replace"))

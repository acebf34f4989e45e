"""Lots that fall the same on every replica: a text to draw from and names in, an order out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Final

_SIZE: Final = 8
_RANGE: Final = 1 << (8 * _SIZE)


def lot(seed: str, name: str) -> int:
    """A number below 2**64, evenly spread, that depends on nothing but the two texts.

    Who takes the name with the highest lot changes as few choices as can be when a name comes
    or goes (rendezvous hashing).
    """
    drawn = hashlib.blake2b(f"{seed}\n{name}".encode("utf-8", "replace"), digest_size=_SIZE)
    return int.from_bytes(drawn.digest(), "big")


def weighted_lot(seed: str, weights: Mapping[str, float]) -> str:
    """One of the names, each as often as its weight says; empty if all weigh nothing.

    A name of any weight that goes leaves the lots of all others as they were, and a weight that
    changes moves no more seeds than it must.
    """
    best, best_score = "", -math.inf
    for name, weight in weights.items():
        if weight <= 0:
            continue
        score = math.log((lot(seed, name) + 0.5) / _RANGE) / weight
        if score > best_score:
            best, best_score = name, score
    return best

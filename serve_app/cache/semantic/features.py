"""What of two questions says how likely one answer serves both, as numbers."""

from __future__ import annotations

from typing import Final

import numpy as np

from serve_app.cache.semantic.alignment import Alignment
from serve_app.cache.semantic.reading import Item, Reading
from serve_app.cache.semantic.vocabulary import Vocabulary

NAMES: Final = (
    "left over on the side with fewer", "left over on the other", "light words left over",
    "weak words left over", "rarity left over", "rarest left over", "pairs by the lexicon",
    "pairs by form or typing error", "share of words paired", "other way of asking",
    "unknown way of asking", "other kind of answer", "cosine", "cosine above 0.9",
    "left over and unlike", "words on both sides left over", "nothing left over",
)  # fmt: skip


def features(
    one: Reading, other: Reading, found: Alignment, cosine: float, vocabulary: Vocabulary
) -> np.ndarray:
    """Array (len(NAMES),) of float64; the same whichever question comes first."""
    left = sorted((_heavy(found.left_one), _heavy(found.left_other)), key=len)
    rest = [vocabulary.rarity(item.text) for side in left for item in side]
    all_left = (*found.left_one, *found.left_other)
    words = sum(item.weight == 2 for item in (*one.items, *other.items))
    paired = 1.0 - len(rest) / words if words else 1.0
    by_lexicon = sum(pair.how == "same" for pair in found.pairs)
    by_form = sum(pair.how in ("form", "typo") for pair in found.pairs)
    return np.array(
        [
            len(left[0]),
            len(left[1]),
            sum(item.weight == 1 for item in all_left),
            sum(item.weight == 0 for item in all_left),
            sum(rest),
            max(rest, default=0.0),
            by_lexicon,
            by_form,
            paired,
            one.ask != other.ask and bool(one.ask and other.ask),
            bool(one.ask) != bool(other.ask),
            one.wants != other.wants,
            cosine,
            max(0.0, cosine - 0.9),
            len(rest) * (1.0 - cosine),
            bool(left[0]),
            not any(item.weight for item in all_left),
        ],
        dtype=np.float64,
    )


def _heavy(items: list[Item]) -> list[Item]:
    return [item for item in items if item.weight == 2]

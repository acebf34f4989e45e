"""Small decision trees over the form of a text: their sum is what the form says."""

from __future__ import annotations

from typing import Final

import numpy as np

from serve_app.routing.learned.numbers import Floats, Ints

DEPTH: Final = 3
"""Questions on the way to a leaf; 4 and 5 do no better on what was held back."""
SPLITS: Final = 2**DEPTH - 1
LEAVES: Final = 2**DEPTH


class Forest:
    """Trees of one depth. Node `i` of a tree leads to `2i + 1`, or to `2i + 2` above its cut.

    Args:
        features: (trees, SPLITS), which number of the form each node looks at.
        cuts: (trees, SPLITS).
        leaves: (trees, LEAVES), what each adds.
    """

    def __init__(self, features: Ints, cuts: Floats, leaves: Floats) -> None:
        self.features = features
        self.cuts = cuts
        self.leaves = leaves
        self._flat_features = features.ravel()
        self._flat_cuts = cuts.ravel()
        self._flat_leaves = leaves.ravel()
        trees = np.arange(len(leaves))
        self._first_split = trees * SPLITS
        self._first_leaf = trees * LEAVES - SPLITS

    def value(self, form: Floats) -> float:
        """Of a text with this form."""
        node: Ints = np.zeros(len(self._first_split), np.int64)
        for _ in range(DEPTH):
            at = self._first_split + node
            node = 2 * node + 1 + (form[self._flat_features[at]] > self._flat_cuts[at])
        return float(self._flat_leaves[self._first_leaf + node].sum())

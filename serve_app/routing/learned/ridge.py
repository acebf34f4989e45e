"""A linear model over the words of texts: texts and targets in, a weight for each bucket out.

Ridge regression. A text is a vector with the same number at each of its words' buckets and
length 1, so that long texts weigh no more than short ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from serve_app.routing.learned.numbers import Floats, Ints, summed
from serve_app.routing.learned.words import BUCKETS

_PENALTY: Final = 20.0
"""10 to 40 rank alike."""
_MOST_ROUNDS: Final = 200
_PRECISION: Final = 1e-6


class WordWeights(NamedTuple):
    """What each word adds."""

    weights: Floats
    """One for each bucket."""
    constant: float

    def value(self, buckets: Ints) -> float:
        """Of a text with words in these buckets."""
        if not len(buckets):
            return self.constant
        return self.constant + float(self.weights[buckets].sum()) / math.sqrt(len(buckets))


class _Texts:
    """Centred vectors of texts, as a matrix that is never written out."""

    def __init__(self, texts: Sequence[Ints]) -> None:
        sizes = np.array([len(buckets) for buckets in texts], np.int64)
        self._count = len(texts)
        self._columns: Ints = np.concatenate(texts)
        self._rows: Ints = np.repeat(np.arange(len(texts)), sizes)
        self._entries: Floats = 1.0 / np.sqrt(sizes[self._rows])
        self.centre: Floats = self._summed(np.ones(len(texts))) / len(texts)

    def times(self, weights: Floats) -> Floats:
        """A number for each text."""
        each = self._entries * weights[self._columns]
        return summed(each, self._rows, self._count) - float(self.centre @ weights)

    def gathered(self, numbers: Floats) -> Floats:
        """A number for each bucket, from one for each text: the transposed product."""
        return self._summed(numbers) - float(numbers.sum()) * self.centre

    def _summed(self, numbers: Floats) -> Floats:
        each = self._entries * numbers[self._rows]
        return summed(each, self._columns, BUCKETS)


def fit(texts: Sequence[Ints], targets: Floats) -> WordWeights:
    """Weights that explain the targets with least squares, kept small by a penalty.

    Args:
        texts: buckets of each text.
        targets: one number for each text.
    """
    matrix = _Texts(texts)
    weights = _solved(matrix, matrix.gathered(targets - targets.mean()))
    return WordWeights(weights, float(targets.mean()) - float(matrix.centre @ weights))


def _solved(matrix: _Texts, right: Floats) -> Floats:
    """Solve the normal equations by conjugate gradients."""
    found = np.zeros(BUCKETS)
    rest, way = right.copy(), right.copy()
    size = first = float(rest @ rest)
    for _ in range(_MOST_ROUNDS):
        if size <= first * _PRECISION**2:
            break
        pull = matrix.gathered(matrix.times(way)) + _PENALTY * way
        step = size / float(way @ pull)
        found += step * way
        rest -= step * pull
        before, size = size, float(rest @ rest)
        way = rest + (size / before) * way
    return found

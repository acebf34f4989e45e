"""Gradient boosting: forms and targets in, a forest out.

Each tree is grown on what the trees before it left unexplained, and adds a small part of what
it found. Cuts are sought among quantiles, so that a tree costs a few passes over the data.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from serve_app.routing.learned.forest import DEPTH, LEAVES, SPLITS, Forest
from serve_app.routing.learned.numbers import Floats, Ints, counted, summed

_TREES: Final = 80
_RATE: Final = 0.05
_BINS: Final = 64
_LARGEST_LEAST: Final = 100
_SMALLEST_LEAST: Final = 5
_LEAST_SHARE: Final = 40
"""A leaf has at least one in so many examples, within the two bounds: few examples deserve no
fine distinctions."""


class _Binned(NamedTuple):
    """Forms, as the number of cuts that each value lies above."""

    cuts: list[Floats]
    """By feature, rising."""
    places: Ints
    """(examples, features): feature times bins plus bin."""

    @property
    def features(self) -> int:
        return len(self.cuts)


class _Split(NamedTuple):
    """The best split of each node of a level; bin -1: none is worth it."""

    features: Ints
    bins: Ints


def grow(forms: Floats, targets: Floats) -> Forest:
    """Trees that explain the targets' differences from their mean.

    Args:
        forms: (examples, features).
        targets: one for each example.
    """
    binned = _binned(forms)
    least = min(_LARGEST_LEAST, max(_SMALLEST_LEAST, len(targets) // _LEAST_SHARE))
    features = np.zeros((_TREES, SPLITS), np.int64)
    cuts = np.full((_TREES, SPLITS), np.inf)
    leaves = np.zeros((_TREES, LEAVES))
    rest = targets - targets.mean()
    for tree in range(_TREES):
        node = _grow_tree(binned, rest, least, features[tree], cuts[tree])
        leaves[tree] = _RATE * _means(node, rest)
        rest -= leaves[tree][node]
    return Forest(features, cuts, leaves)


def _binned(forms: Floats) -> _Binned:
    steps = np.linspace(0, 1, _BINS + 1)[1:-1]
    cuts = [np.unique(np.quantile(column, steps, method="lower")) for column in forms.T]
    bins = [np.searchsorted(cut, column) for cut, column in zip(cuts, forms.T, strict=True)]
    places = [feature * _BINS + column for feature, column in enumerate(bins)]
    return _Binned(cuts, np.stack(places, axis=1).astype(np.int64))


def _grow_tree(binned: _Binned, rest: Floats, least: int, features: Ints, cuts: Floats) -> Ints:
    """Fill in one tree's features and cuts; returns the leaf of each example."""
    node: Ints = np.zeros(len(rest), np.int64)
    for level in range(DEPTH):
        split = _best(binned, rest, node, 2**level, least)
        first = 2**level - 1
        for i, (feature, bin_) in enumerate(zip(split.features, split.bins, strict=True)):
            features[first + i] = feature
            if bin_ >= 0:
                cuts[first + i] = binned.cuts[feature][bin_]
        chosen = split.features[node]
        bins = binned.places[np.arange(len(rest)), chosen] - chosen * _BINS
        ends: Ints = np.where(split.bins < 0, _BINS, split.bins)
        node = 2 * node + (bins > ends[node])
    return node


def _best(binned: _Binned, rest: Floats, node: Ints, nodes: int, least: int) -> _Split:
    """For each node, the cut that explains most and leaves enough examples on both sides."""
    counts, sums = _histograms(binned, rest, node, nodes)
    left_count, left_sum = counts.cumsum(axis=2), sums.cumsum(axis=2)
    all_count, all_sum = left_count[:, :, -1:], left_sum[:, :, -1:]
    right_count, right_sum = all_count - left_count, all_sum - left_sum
    worth = (
        left_sum**2 / np.maximum(left_count, 1)
        + right_sum**2 / np.maximum(right_count, 1)
        - all_sum**2 / np.maximum(all_count, 1)
    )
    worth[(left_count < least) | (right_count < least)] = 0.0
    flat = worth.reshape(nodes, -1)
    best = flat.argmax(axis=1)
    is_worth_it = flat[np.arange(nodes), best] > 0
    return _Split(best // _BINS, np.where(is_worth_it, best % _BINS, -1))


def _histograms(binned: _Binned, rest: Floats, node: Ints, nodes: int) -> tuple[Floats, Floats]:
    """Number of examples and sum of what is left, each (nodes, features, bins)."""
    width = binned.features * _BINS
    places = (node[:, None] * width + binned.places).ravel()
    shape = (nodes, binned.features, _BINS)
    sums = summed(np.repeat(rest, binned.features), places, nodes * width)
    return counted(places, nodes * width).reshape(shape), sums.reshape(shape)


def _means(leaf: Ints, rest: Floats) -> Floats:
    means: Floats = summed(rest, leaf, LEAVES) / np.maximum(counted(leaf, LEAVES), 1)
    return means

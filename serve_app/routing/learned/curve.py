"""The cost-quality curve of a router: its scores and the labels in, accuracy by strong share out.

The curve says how many answers are right when exactly a share of all prompts, those with the
highest scores, goes to the strong model and the rest to the weak one. Prompts with equal scores
are sent in no particular order: the curve has the expected accuracy over all orders, which is a
straight line across them.

`random` is a router whose scores are all equal: a straight line from the weak model's accuracy
to the strong one's. `oracle` knows the labels: first the prompts that only the strong model
answers, then those where it makes no difference, last those that only the weak one answers. No
router lies above it at any share; it ends where all of them end. A router's `area` is the part of
the area between these two that lies below its own curve: 0 is random, 1 the oracle, below 0
worse than random.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from serve_app.routing.learned.numbers import Floats


class Curve(NamedTuple):
    """Accuracy at each number of prompts that go to the strong model."""

    accuracies: Floats
    """From none to all prompts: one more than there are prompts."""

    def accuracy(self, strong_share: float) -> float:
        """At a share from 0 to 1; on a straight line between whole prompts."""
        at = strong_share * (len(self.accuracies) - 1)
        return float(np.interp(at, np.arange(len(self.accuracies)), self.accuracies))

    @property
    def mean(self) -> float:
        """Over all shares: the area below the curve."""
        inner = self.accuracies[1:-1].sum()
        ends = (self.accuracies[0] + self.accuracies[-1]) / 2
        return float(inner + ends) / (len(self.accuracies) - 1)


class Judged(NamedTuple):
    """Labelled prompts, ready to be routed in any order. At least one."""

    weak: Floats
    """1 where the weak model was right, else 0."""
    strong: Floats

    @property
    def gains(self) -> Floats:
        return self.strong - self.weak

    def curve(self, scores: Floats) -> Curve:
        """Of a router that gave the prompts these scores."""
        _, places, sizes = np.unique(-scores, return_inverse=True, return_counts=True)
        means = np.bincount(places, self.gains) / sizes
        won = np.concatenate([[0.0], np.repeat(means, sizes).cumsum()])
        return Curve(float(self.weak.mean()) + won / len(self.weak))

    @property
    def oracle(self) -> Curve:
        return self.curve(self.gains)

    @property
    def random(self) -> Curve:
        return self.curve(np.zeros(len(self.weak)))

    def area(self, curve: Curve) -> float:
        """The curve's part of the area between random and oracle; 0 if there is none."""
        room = self.oracle.mean - self.random.mean
        return (curve.mean - self.random.mean) / room if room > 0 else 0.0

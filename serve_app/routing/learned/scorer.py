"""The trained model itself: a text in, the probability that only the strong model will do out.

What words and form say of the gain is added up; the sum ranks the texts, and a logistic curve,
fitted to examples that were held back, turns it into a probability.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from serve_app.routing.learned.forest import Forest
from serve_app.routing.learned.marks import Marks, marks
from serve_app.routing.learned.ridge import WordWeights

_STEEPEST: Final = 700.0
"""Beyond it `exp` overflows."""


class Gain(NamedTuple):
    """What the strong model is expected to win on a text, up to scale and offset."""

    words: WordWeights
    forest: Forest

    def of(self, seen: Marks) -> float:
        return self.words.value(seen.buckets) + self.forest.value(seen.form)


class Calibration(NamedTuple):
    """A rising logistic curve over the gain."""

    slope: float
    offset: float

    def probability(self, gain: float) -> float:
        height = self.slope * gain + self.offset
        return 1.0 / (1.0 + math.exp(-max(-_STEEPEST, min(_STEEPEST, height))))


class Scorer(NamedTuple):
    """Scores texts; the same for the same text, alone or among others."""

    gain: Gain
    calibration: Calibration

    def score(self, text: str) -> float:
        """0 to 1: the probability that the weak model fails where the strong one does not."""
        return self.calibration.probability(self.gain.of(marks(text)))

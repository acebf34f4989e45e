"""How similar is similar enough: learned from answers that were compared, so that the share of
wrong hits stays below what the policy allows.

After "vCache: Verified Semantic Prompt Caching" (Schroeder et al. 2025, arXiv 2502.03771). There
each stored question has a logistic curve L(s - t) from a similarity s to the probability that its
answer is right, t is learned from compared answers, and a hit is only taken where that probability,
at a confidence, is high enough. Two things differ here. Our s is the logit of the judge's score,
which is a calibrated probability, so that without any observation t is near 0 and much can be
served from the beginning. How much the judge is too sure of itself altogether is learned from all
questions together. And where the paper takes an insufficient hit with a small probability,
which keeps the average, we never do.

    sure(s) = min(s, slope s - shift)     slope ~ N(1, 0.3), shift ~ N(0, 1), of all questions
    t ~ N(0, 1)                           of each question
    right | s, t ~ Bernoulli(L(sure(s) - t))
    serve  <=>  E[1 - L(s - t) | what was observed] <= max_wrong
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Final, Literal, NamedTuple

import numpy as np

from serve_app.config.policy import SemanticPolicy

Decision = Literal["serve", "verify", "pass"]

_WORTH_LEARNING: Final = 0.3
"""Scores below it are never explored."""

_SURE: Final = 1e-4
_REMEMBERED: Final = 1000
"""Observations from which the common shift is learned: the latest."""

_FIRST_VERIFIED: Final = 10.0
"""At the beginning more is verified: half of the would-be hits once so many were."""

_GRID: Final = np.linspace(-5.0, 5.0, 51)
_PRIOR: Final = np.exp(-0.5 * _GRID**2)

_EXPECTED: Final = np.array([1.0, 0.0])
"""Slope and shift of a judge that is right about itself."""
_STIFFNESS: Final = np.array([1 / 0.3**2, 1.0])


class Observation(NamedTuple):
    """An answer that was compared: the judge's score of the questions, and whether it was right."""

    score: float
    same: bool


class Bound:
    """Decides about would-be hits.

    Args:
        rng: draws which are verified.
    """

    def __init__(self, policy: SemanticPolicy, rng: Random) -> None:
        self._policy = policy
        self._rng = rng
        self._seen: deque[tuple[float, bool]] = deque(maxlen=_REMEMBERED)
        self._fit = _EXPECTED
        self._verified = 0

    def reconfigure(self, policy: SemanticPolicy) -> None:
        self._policy = policy

    def decide(self, score: float, observed: Sequence[Observation]) -> Decision:
        """What to do with the answer of a question of that score.

        Args:
            observed: of that stored question.
        """
        if self.is_enough(score, observed):
            return "verify" if self._rng.random() < self._share() else "serve"
        if score >= _WORTH_LEARNING and self._rng.random() < self._policy.verify_share:
            return "verify"
        return "pass"

    def is_enough(self, score: float, observed: Sequence[Observation]) -> bool:
        """Whether its expected share of wrong hits is within the bound."""
        return self.wrong(score, observed) <= self._policy.max_wrong

    def wrong(self, score: float, observed: Sequence[Observation]) -> float:
        """The probability that its answer is wrong, by all that was observed."""
        weights = _PRIOR
        for one in observed:
            right = 1.0 / (1.0 + np.exp(_GRID - self._sure(one.score)))
            weights = weights * (right if one.same else 1.0 - right)
        total = float(weights.sum())
        if total <= 0.0:
            return 1.0
        wrong = 1.0 / (1.0 + np.exp(self._sure(score) - _GRID))
        return float((weights * wrong).sum()) / total

    def _sure(self, score: float) -> float:
        """The logit of a score, as far as it has proved true; never more than it says."""
        logit = _logit(score)
        return min(logit, float(self._fit[0]) * logit - float(self._fit[1]))

    def observe(self, *observations: Observation) -> None:
        """Learn from compared answers of any question: 0.3 ms, however many they are."""
        self._verified += len(observations)
        self._seen.extend((_logit(one.score), one.same) for one in observations)
        self._fit = self._fitted()

    def _share(self) -> float:
        """Of the would-be hits, how many are verified."""
        at_first = 1.0 / (1.0 + self._verified / _FIRST_VERIFIED)
        return max(self._policy.verify_share, at_first) if self._policy.verify_share else 0.0

    def _fitted(self) -> np.ndarray:
        """Slope and shift of highest probability, by Newton's method."""
        given = np.array([(logit, -1.0) for logit, _ in self._seen])
        same = np.array([one for _, one in self._seen], dtype=np.float64)
        fit = self._fit
        for _ in range(20):
            right = 1.0 / (1.0 + np.exp(-given @ fit))
            slope = given.T @ (same - right) - _STIFFNESS * (fit - _EXPECTED)
            curved = (given * (right * (1.0 - right))[:, None]).T @ given + np.diag(_STIFFNESS)
            step = np.linalg.solve(curved, slope)
            fit = fit + np.clip(step, -1.0, 1.0)
            if float(np.abs(step).max()) < 1e-6:
                break
        return fit


def _logit(score: float) -> float:
    kept = min(max(score, _SURE), 1.0 - _SURE)
    return math.log(kept / (1.0 - kept))

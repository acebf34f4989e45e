"""Routers on trial: labels and, if there is one, a model in; curves and areas out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from serve_app.routing.learned.curve import Curve, Judged
from serve_app.routing.learned.labels import Labels
from serve_app.routing.learned.model import Model
from serve_app.routing.learned.numbers import Floats
from serve_app.routing.need import need


class Trial(NamedTuple):
    """One router on the examples."""

    curve: Curve
    area: float
    """0 as good as random, 1 as good as can be."""


class Evaluation(NamedTuple):
    """All routers on the same examples."""

    examples: int
    trained_on: int
    """Examples that the model was trained on; models that had not seen them judged those."""
    weak_accuracy: float
    strong_accuracy: float
    random: Curve
    oracle: Curve
    rule: Trial
    learned: Trial | None

    @property
    def chosen(self) -> Trial:
        """The learned router, or the rule where there is none."""
        return self.learned or self.rule

    def not_above_rule(self, shares: list[float]) -> list[float]:
        """Where the learned router is no better than the rule; empty without one."""
        if self.learned is None:
            return []
        ours, rule = self.learned.curve, self.rule.curve
        return [share for share in shares if ours.accuracy(share) <= rule.accuracy(share)]


def evaluate(labels: Labels, model: Model | None) -> Evaluation:
    """Route the examples by the rule and by the model, at every share."""
    judged, prompts = Judged(labels.weak, labels.strong), labels.prompts
    return Evaluation(
        examples=len(labels.examples),
        trained_on=0 if model is None else model.held_back.known(prompts),
        weak_accuracy=float(labels.weak.mean()),
        strong_accuracy=float(labels.strong.mean()),
        random=judged.random,
        oracle=judged.oracle,
        rule=_trial(judged, _rule_scores(prompts)),
        learned=None if model is None else _trial(judged, model.fair_scores(prompts)),
    )


def _trial(judged: Judged, scores: Floats) -> Trial:
    curve = judged.curve(scores)
    return Trial(curve, judged.area(curve))


def _rule_scores(prompts: list[str]) -> Floats:
    return np.array([need(prompt, turns=1)[0] for prompt in prompts])

"""Training: labelled examples in, a model out that knows how well it does on what it never saw.

Every example is scored once by a model that was trained without it (cross-validation). These
held-back scores calibrate the probabilities, say which threshold sends which share to the strong
model, and are kept in the model: whoever evaluates it on its own training examples gets them, not
the scores of the final model, which is trained on all examples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import numpy as np

from serve_app.routing.learned import growing, ridge
from serve_app.routing.learned.calibration import calibrate
from serve_app.routing.learned.curve import Judged
from serve_app.routing.learned.labels import Labels, LabelsRejected
from serve_app.routing.learned.marks import VERSION, Marks, marks
from serve_app.routing.learned.model import FORMAT, SHARES, About, HeldBack, Model
from serve_app.routing.learned.numbers import Floats, Ints
from serve_app.routing.learned.scorer import Gain, Scorer

FOLDS: Final = 5
STEPS: Final = FOLDS + 1
"""How often `train` reports progress."""
_FEWEST: Final = 50


def train(labels: Labels, on: date, seed: int, done: Callable[[], None]) -> Model:
    """The same model for the same labels, day and seed.

    Args:
        on: the day, for the model's record.
        seed: which examples are held back together.
        done: called after each of the `STEPS`.

    Raises:
        LabelsRejected: too few examples, or none that only the strong model answered.
    """
    _check(labels)
    seen, gains = [marks(prompt) for prompt in labels.prompts], labels.gains
    held_back = _cross_validated(seen, gains, _folds(labels.prompts, seed), done)
    calibration = calibrate(held_back, gains > 0)
    scorer = Scorer(_fit(seen, gains), calibration)
    done()
    scores = np.array([calibration.probability(gain) for gain in held_back])
    return Model(
        scorer,
        np.quantile(scores, SHARES),
        HeldBack.of(labels.prompts, scores),
        _about(labels, scores, on, seed),
    )


def _check(labels: Labels) -> None:
    if len(labels.examples) < _FEWEST:
        raise LabelsRejected(
            f"{len(labels.examples)} examples are too few: at least {_FEWEST}, better thousands"
        )
    if not (labels.gains > 0).any():
        raise LabelsRejected("no example has `strong_correct` without `weak_correct`")


def _about(labels: Labels, scores: Floats, on: date, seed: int) -> About:
    judged = Judged(labels.weak, labels.strong)
    return About(
        format=FORMAT,
        features=VERSION,
        examples=len(labels.examples),
        labels_sha256=labels.digest,
        trained_on=on,
        seed=seed,
        weak_accuracy=float(labels.weak.mean()),
        strong_accuracy=float(labels.strong.mean()),
        held_back_area=judged.area(judged.curve(scores)),
    )


def _folds(prompts: Sequence[str], seed: int) -> Ints:
    """A fold for each prompt: equal prompts together, folds of equal size, by a hash."""
    distinct = sorted(set(prompts), key=lambda prompt: _shuffled(prompt, seed))
    fold = {prompt: place % FOLDS for place, prompt in enumerate(distinct)}
    return np.array([fold[prompt] for prompt in prompts], np.int64)


def _shuffled(prompt: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{prompt}".encode("utf-8", "replace")).digest()


def _cross_validated(
    seen: Sequence[Marks], gains: Floats, folds: Ints, done: Callable[[], None]
) -> Floats:
    """The expected gain of each example, by a model that was trained without its fold."""
    expected = np.zeros(len(seen))
    for fold in range(FOLDS):
        others, own = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        model = _fit([seen[i] for i in others], gains[others])
        expected[own] = [model.of(seen[i]) for i in own]
        done()
    return expected


def _fit(seen: Sequence[Marks], gains: Floats) -> Gain:
    words = ridge.fit([one.buckets for one in seen], gains)
    return Gain(words, growing.grow(np.stack([one.form for one in seen]), gains))

"""The shipped weights are those that the pairs teach, and every one counts the way it may."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.judge import SIGNS, curve, fit, see
from serve_app.cache.semantic.features import NAMES
from serve_app.cache.semantic.judge import WEIGHTS


async def test_the_shipped_weights_are_the_learned_ones() -> None:
    stored = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    learned = fit(await see("en"))
    assert stored["features"] == list(NAMES)
    assert stored["weights"] == pytest.approx(learned.weights, abs=0.05)
    assert stored["mean"] == pytest.approx(learned.mean, abs=0.01)


def test_no_weight_counts_the_wrong_way() -> None:
    stored = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    assert all(weight * sign >= 0 for weight, sign in zip(stored["weights"], SIGNS, strict=True))
    for one in stored["curves"].values():
        assert one["value"] == sorted(one["value"])
        assert one["score"] == sorted(one["score"])
        assert one["score"][-1] < 1.0


def test_a_curve_promises_no_more_than_it_has_seen() -> None:
    values = np.linspace(0.0, 1.0, 101)
    found = curve(values, (values > 0.5).astype(np.float64))
    assert found["score"][-1] < 0.99, "fifty pairs vouch for no one in a hundred"
    assert found["score"][0] == pytest.approx(0.49, abs=0.02)

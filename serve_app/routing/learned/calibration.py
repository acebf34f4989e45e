"""Probabilities from gains: held-back gains and what was true in, a logistic curve out."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from serve_app.routing.learned.numbers import Floats
from serve_app.routing.learned.scorer import Calibration

_ROUNDS: Final = 50
_PENALTY: Final = 1e-3
"""Keeps the slope finite where the examples can be told apart without a mistake."""
_LEAST_SLOPE: Final = 0.01
"""The curve always rises, so that the order stays that of the gains."""


def calibrate(gains: Floats, is_needed: NDArray[np.bool_]) -> Calibration:
    """Logistic regression of `is_needed` on one number, by Newton's method."""
    spread = float(gains.std()) or 1.0
    middle = float(gains.mean())
    sheet = np.stack([(gains - middle) / spread, np.ones(len(gains))])
    truth = is_needed.astype(np.float64)
    slope, offset = _fitted(sheet, truth)
    slope = max(slope / spread, _LEAST_SLOPE)
    return Calibration(slope, offset - slope * middle)


def _fitted(sheet: Floats, truth: Floats) -> tuple[float, float]:
    found = np.zeros(2)
    for _ in range(_ROUNDS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(found @ sheet, -30.0, 30.0)))
        slope = sheet @ (truth - chance) - _PENALTY * found
        bend = (sheet * (chance * (1.0 - chance))) @ sheet.T + _PENALTY * np.eye(2)
        step = np.linalg.solve(bend, slope)
        found = found + step
        if float(np.abs(step).max()) < 1e-10:
            break
    return float(found[0]), float(found[1])

from __future__ import annotations

import pytest

from serve_app.cache.interval import wilson


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 100, 0.0018, 0.0545),
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_the_interval_is_wilsons(hits: int, trials: int, low: float, high: float) -> None:
    """The last row is the example of Newcombe (1998), table I."""
    assert wilson(hits, trials) == pytest.approx((low, high), abs=5e-5)

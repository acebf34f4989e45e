"""Quantiles from buckets, against Prometheus' rule and against the observations themselves."""

from __future__ import annotations

import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.console.quantiles import quantile

BOUNDS = [0.1, 0.5, 1.0, 5.0]


def buckets(values: list[float]) -> dict[float, float]:
    bounds = [*BOUNDS, math.inf]
    return {bound: float(sum(value <= bound for value in values)) for bound in bounds}


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        # As in Prometheus' own tests of histogram_quantile (promql/testdata/histograms.test).
        ([1, 2, 3, 4], 0.5, 2.0),
        ([0, 0, 0, 10], 0.5, 3.5),
        ([10, 10, 10, 10], 0.5, 0.5),
        ([0, 5, 10, 10], 1.0, 3.0),
        ([0, 5, 10, 10], 0.25, 1.5),
        ([0, 5, 10, 20], 0.95, 3.0),
    ],
)
def test_within_a_bucket_observations_are_spread_evenly(
    counts: list[float], share: float, expected: float
) -> None:
    bounds = [1.0, 2.0, 3.0, math.inf] if counts[3] != 10 or counts[2] else [1.0, 2.0, 3.0, 4.0]
    found = quantile(dict(zip(bounds, counts, strict=True)), share)
    assert found == pytest.approx(expected)


def test_nothing_was_observed() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({1.0: 0.0, math.inf: 0.0}, 0.99) is None


def test_what_is_beyond_the_last_bound_is_told_as_that() -> None:
    assert quantile({1.0: 0.0, math.inf: 7.0}, 0.5) == 1.0


def test_a_bucket_that_is_behind_the_one_before_does_no_harm() -> None:
    """Figures of two processes may arrive between two buckets."""
    assert quantile({1.0: 5.0, 2.0: 4.0, math.inf: 5.0}, 0.5) == pytest.approx(0.5)


@given(st.lists(st.floats(0.001, 4.9), min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_it_lies_in_the_bucket_that_the_observation_lies_in(
    values: list[float], share: float
) -> None:
    ordered = sorted(values)
    real = ordered[max(0, math.ceil(share * len(ordered)) - 1)]
    found = quantile(buckets(values), share)
    assert found is not None
    at = bisect_left(BOUNDS, real)
    low = BOUNDS[at - 1] if at else 0.0
    assert low <= found <= BOUNDS[at] + 1e-9

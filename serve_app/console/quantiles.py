"""Quantiles from the buckets of a histogram, by Prometheus' rule (`histogram_quantile`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""Those that are shown, by the name that they have then."""


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """The value below which a share of the observations lies.

    Within a bucket the observations are taken to be spread evenly; the first one begins at 0. What
    lies in the last one, which has no end, is told as its beginning.

    Args:
        buckets: by upper bound, infinity included, how many observations were not above it.
        share: from 0 to 1.

    Returns:
        None: there were no observations.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0:
        return None
    rank = share * total
    below, low = 0.0, 0.0
    for bound in bounds:
        count = max(buckets[bound], below)  # replicas' figures may arrive between two buckets
        if count >= rank and count > below:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (rank - below) / (count - below)
        below, low = count, bound if not math.isinf(bound) else low
    return low

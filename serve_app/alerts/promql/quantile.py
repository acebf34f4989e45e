"""Quantiles from the buckets of a histogram, as Prometheus works them out
(github.com/prometheus/prometheus, promql/quantile.go, `BucketQuantile`)."""

from __future__ import annotations

import math
from itertools import accumulate

from serve_app.alerts.base import Labels


def histogram_quantile(q: float, vector: dict[Labels, float]) -> dict[Labels, float]:
    """By what is left of the labels without `le`. Series without a number in `le` are left out."""
    groups: dict[Labels, dict[float, float]] = {}
    for labels, value in vector.items():
        bound = _bound(labels)
        if bound is not None:
            rest = tuple(pair for pair in labels if pair[0] != "le")
            buckets = groups.setdefault(rest, {})
            buckets[bound] = buckets.get(bound, 0.0) + value
    return {labels: _quantile(q, sorted(buckets.items())) for labels, buckets in groups.items()}


def _bound(labels: Labels) -> float | None:
    try:
        return float(dict(labels)["le"])
    except (KeyError, ValueError):
        return None


def _quantile(q: float, buckets: list[tuple[float, float]]) -> float:
    if math.isnan(q):
        return math.nan
    if q < 0 or q > 1:
        return math.copysign(math.inf, q)
    if not math.isinf(buckets[-1][0]) or len(buckets) < 2:
        return math.nan
    bounds = [bound for bound, _ in buckets]
    counts = list(accumulate((count for _, count in buckets), max))
    if not counts[-1] > 0:
        return math.nan
    rank = q * counts[-1]
    place = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if place == len(counts) - 1:
        return bounds[-2]
    if place == 0 and bounds[0] <= 0:
        return bounds[0]
    start = bounds[place - 1] if place else 0.0
    below = counts[place - 1] if place else 0.0
    inside = counts[place] - below
    share = (rank - below) / inside if inside else math.nan
    return start + (bounds[place] - start) * share

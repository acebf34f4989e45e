"""The figures of the whole service at one moment, as they are exposed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

from msgspec import Struct

from serve_app.observe import fields
from serve_app.observe.catalog import METRICS
from serve_app.observe.metric import Joined, Labels, Metric
from serve_app.observe.unfolding import INFINITE, SUM

Values = dict[Labels, float]


class Snapshot(Struct, frozen=True):
    """By name as exposed (a histogram has `NAME_bucket`, `NAME_sum` and `NAME_count`), then by
    sorted label pairs, the value."""

    at: float
    """Unix seconds."""
    series: dict[str, Values]


def of(at: float, totals: Mapping[str, int], gauges: Iterable[Mapping[str, float]]) -> Snapshot:
    """Of the service's totals and its processes' gauges, by field."""
    series: dict[str, Values] = {}
    histograms: dict[tuple[str, Labels], dict[str, int]] = {}
    for name, total in totals.items():
        field = fields.read(name)
        if field is None:
            continue
        if METRICS[field.metric].kind == "histogram":
            histograms.setdefault((field.metric, field.labels), {})[field.part] = total
        else:
            series.setdefault(field.metric, {})[field.labels] = float(total)
    for (metric, labels), parts in histograms.items():
        _add_histogram(series, METRICS[metric], labels, parts)
    _add_gauges(series, gauges)
    return Snapshot(at, series)


def _add_histogram(
    series: dict[str, Values], metric: Metric, labels: Labels, parts: Mapping[str, int]
) -> None:
    buckets = series.setdefault(f"{metric.name}_bucket", {})
    count = 0
    for bound in _bounds(metric.name, frozenset(parts)):
        count += parts.get(bound, 0)
        buckets[bucket_of(labels, bound)] = float(count)
    series.setdefault(f"{metric.name}_count", {})[labels] = float(count)
    series.setdefault(f"{metric.name}_sum", {})[labels] = parts.get(SUM, 0) / metric.unit


@lru_cache(maxsize=20_000)
def bucket_of(labels: Labels, bound: str) -> Labels:
    """The labels of a bucket of a histogram."""
    return tuple(sorted((*labels, ("le", bound))))


@lru_cache(maxsize=1000)
def _bounds(metric: str, parts: frozenset[str]) -> tuple[str, ...]:
    """The metric's, and those that it had in an earlier version."""
    bounds = {str(bound) for bound in METRICS[metric].buckets} | parts | {INFINITE}
    return tuple(sorted(bounds - {SUM}, key=_number))


def _number(bound: str) -> float:
    return math.inf if bound == INFINITE else float(bound)


def _add_gauges(series: dict[str, Values], gauges: Iterable[Mapping[str, float]]) -> None:
    told: dict[str, list[float]] = {}
    for of_process in gauges:
        for name, value in of_process.items():
            told.setdefault(name, []).append(value)
    for name, values in told.items():
        field = fields.read(name)
        if field is not None:
            joined = _joined(METRICS[field.metric].joined, values)
            series.setdefault(field.metric, {})[field.labels] = joined


def _joined(how: Joined, values: list[float]) -> float:
    if how == "sum":
        return sum(values)
    return max(values) if how == "max" else min(values)

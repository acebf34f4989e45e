"""The made-up day as Prometheus would have recorded it: totals that grow, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import erf, log, sqrt
from typing import NamedTuple

import numpy as np

from benchmarks.observability.evening import Values
from benchmarks.observability.told import Spread, counters, gauges, histograms
from serve_app.observe.catalog import METRICS
from serve_app.observe.metric import Metric

Labels = tuple[tuple[str, str], ...]
Series = dict[str, dict[Labels, float]]
"""Name as exposed -> labels, sorted -> value."""


class Moment(NamedTuple):
    """What a scrape would have found."""

    t: float
    """Minutes before the day's end."""
    series: Series


class Untold(LookupError):
    """The made-up day says nothing of a metric of the catalogue, or something of another."""


class Recorder:
    """Lets a service run through the made-up day; the same seed gives the same day."""

    def __init__(self, seed: int = 8) -> None:
        self._random = np.random.default_rng(seed)
        self._totals: Series = {}

    def play(self, minutes: list[float]) -> Iterator[Moment]:
        """What scrapes at these minutes find, from the second one on."""
        for before, t in pairwise(minutes):
            yield Moment(t, self.grow(t, (t - before) * 60))

    def grow(self, t: float, seconds: float) -> Series:
        """Everything as it stands at `t`, so many seconds after the last time.

        Raises:
            Untold: see there.
        """
        grown, spread, now = counters(t), histograms(t), gauges(t)
        if wrong := set(METRICS) ^ {*grown, *spread, *now}:
            raise Untold(f"told.py and the catalogue differ in {sorted(wrong)}")
        for name, grows in grown.items():
            self._count(name, list(grows), [rate * seconds for rate in grows.values()])
        for name, spreads in spread.items():
            for values, one in spreads.items():
                self._observe(METRICS[name], values, one, seconds)
        fixed = {
            name: {_labels(METRICS[name], values): float(value) for values, value in of.items()}
            for name, of in now.items()
        }
        return {name: dict(of) for name, of in self._totals.items()} | fixed

    def _count(self, name: str, keys: list[Values], expected: list[float]) -> None:
        drawn = self._random.poisson(expected)
        of = self._totals.setdefault(name, {})
        for values, count in zip(keys, drawn, strict=True):
            labels = _labels(METRICS[name], values)
            of[labels] = of.get(labels, 0.0) + float(count)

    def _observe(self, metric: Metric, values: Values, spread: Spread, seconds: float) -> None:
        below = [_share_below(bound, spread) for bound in metric.buckets] + [1.0]
        shares = np.clip(np.diff([0.0, *below]), 0.0, 1.0)
        counts = self._random.poisson(shares * spread.rate * seconds)
        labels = _labels(metric, values)
        bounds = [*map(str, metric.buckets), "+Inf"]
        for bound, total in zip(bounds, np.cumsum(counts), strict=True):
            self._add(f"{metric.name}_bucket", tuple(sorted((*labels, ("le", bound)))), total)
        mean = spread.median * float(np.exp(spread.sigma**2 / 2))
        self._add(f"{metric.name}_count", labels, counts.sum())
        self._add(f"{metric.name}_sum", labels, counts.sum() * mean)

    def _add(self, name: str, labels: Labels, count: float) -> None:
        of = self._totals.setdefault(name, {})
        of[labels] = of.get(labels, 0.0) + float(count)


def _share_below(bound: float, spread: Spread) -> float:
    """Of a log-normal distribution."""
    return 0.5 + 0.5 * erf(log(bound / spread.median) / spread.sigma / sqrt(2))


def _labels(metric: Metric, values: Values) -> Labels:
    names = (*metric.labels, "tenant") if metric.by_tenant else metric.labels
    return tuple(sorted(zip(names, values, strict=True)))


def lines(series: Series, at: float | None = None) -> Iterator[str]:
    """As OpenMetrics' sample lines, without metadata.

    Args:
        at: Unix seconds, written behind each value.
    """
    end = "" if at is None else f" {at:.3f}"
    for name, of in series.items():
        for labels, value in of.items():
            pairs = ",".join(f'{label}="{text}"' for label, text in labels)
            yield f"{name}{{{pairs}}} {value:.10g}{end}\n"

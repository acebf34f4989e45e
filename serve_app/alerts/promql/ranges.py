"""What functions make of a series' values over a while.

`rate`, `increase` and `delta` extrapolate to the ends of the range as Prometheus does
(github.com/prometheus/prometheus, promql/functions.go, `extrapolatedRate`, version 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from serve_app.alerts.promql.window import Samples

Over = Callable[[Samples, float, float], float | None]
"""Samples, the range's beginning and its end; None: too few."""


def _growth(samples: Samples) -> float:
    """From the first to the last; a counter that falls has begun anew at 0."""
    grown = samples[-1][1] - samples[0][1]
    before = samples[0][1]
    for _, value in samples:
        if value < before:
            grown += before
        before = value
    return grown


def _extrapolated(
    samples: Samples, since: float, until: float, *, counter: bool, per_second: bool = False
) -> float | None:
    if len(samples) < 2:
        return None
    grown = _growth(samples) if counter else samples[-1][1] - samples[0][1]
    first_at, first = samples[0]
    sampled = samples[-1][0] - first_at
    step = sampled / (len(samples) - 1)
    before, after = first_at - since, until - samples[-1][0]
    if before >= step * 1.1:
        before = step / 2
    if after >= step * 1.1:
        after = step / 2
    if counter and grown > 0 and first >= 0:
        # A counter was never below 0, so it cannot have grown before it was that.
        before = min(before, sampled * (first / grown))
    return grown * ((sampled + before + after) / sampled / (until - since if per_second else 1.0))


def _increase(samples: Samples, since: float, until: float) -> float | None:
    return _extrapolated(samples, since, until, counter=True)


def _rate(samples: Samples, since: float, until: float) -> float | None:
    return _extrapolated(samples, since, until, counter=True, per_second=True)


def _delta(samples: Samples, since: float, until: float) -> float | None:
    return _extrapolated(samples, since, until, counter=False)


OVER: Final[dict[str, Over]] = {
    "rate": _rate,
    "increase": _increase,
    "delta": _delta,
    "avg_over_time": lambda samples, *_: sum(v for _, v in samples) / len(samples),
    "max_over_time": lambda samples, *_: max(v for _, v in samples),
    "min_over_time": lambda samples, *_: min(v for _, v in samples),
}
COUNTERS: Final = frozenset(("rate", "increase"))
"""Those that take counters, which begin at 0."""

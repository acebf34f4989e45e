"""What Prometheus answers to a panel's queries over the dashboard's time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.observability.prometheus import Prometheus
from benchmarks.observability.queries import asked, choices

_NAMED = re.compile(r"\{\{\s*(\w+)\s*\}\}")

Floats = NDArray[np.float64]


class Line(NamedTuple):
    """A series, with a value for each step; NaN where it has none."""

    name: str
    values: Floats

    @property
    def last(self) -> float:
        known = self.values[~np.isnan(self.values)]
        return float(known[-1]) if known.size else float("nan")


class Span(NamedTuple):
    """The time that a dashboard shows, in Unix seconds."""

    start: float
    end: float
    step_s: float
    window: str
    """What rates are taken over."""

    @property
    def times(self) -> Floats:
        return np.arange(self.start, self.end + 1, self.step_s, dtype=np.float64)


def given(server: Prometheus, dashboard: Path, span: Span) -> dict[str, str]:
    """What a dashboard's variables stand for: everything that there is to be chosen."""
    chosen = {
        name: "|".join(server.values(metric, label, span.start, span.end))
        for name, (metric, label) in choices(dashboard).items()
    }
    return {"__rate_interval": span.window, **chosen}


def answers(
    server: Prometheus, panel: dict[str, Any], variables: Mapping[str, str], span: Span
) -> list[Line]:
    """A panel's series, in Prometheus' order (which sorts where the query does)."""
    lines: list[Line] = []
    for query in asked(panel, variables):
        if query.is_instant:
            found = server.now(query.expr, span.end)
            told = [(one["metric"], [one["value"]]) for one in found]
        else:
            found = server.over(query.expr, span.start, span.end, span.step_s)
            told = [(one["metric"], one["values"]) for one in found]
        lines += [Line(_legend(query.legend, labels), _at(span, values)) for labels, values in told]
    return lines


def _legend(pattern: str, labels: dict[str, str]) -> str:
    return _NAMED.sub(lambda found: labels.get(found[1], ""), pattern).strip()


def _at(span: Span, values: list[tuple[float, str]]) -> Floats:
    course = np.full(len(span.times), np.nan)
    for at, value in values:
        course[round((at - span.start) / span.step_s)] = float(value)
    return course

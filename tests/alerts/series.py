"""Snapshots for tests, written as Prometheus' unit tests write series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from serve_app.alerts.base import Labels
from serve_app.alerts.promql.evaluate import Value, evaluate
from serve_app.alerts.promql.parser import parse
from serve_app.alerts.promql.window import Window

BEGIN = 1_000_000.0
STEP_S = 5.0

Series = Mapping[str, Sequence[float | None]]
"""By `name{label="value"}`, a value each five seconds; None: it is not there."""


class Moment(Struct):
    at: float
    series: dict[str, dict[Labels, float]]


def labels_of(written: str) -> tuple[str, Labels]:
    name, _, rest = written.rstrip("}").partition("{")
    pairs = [pair.split("=", 1) for pair in rest.split(",") if pair]
    return name, tuple(sorted((key, value.strip('"')) for key, value in pairs))


def moments(series: Series, begin: float = BEGIN, step_s: float = STEP_S) -> list[Moment]:
    """A snapshot for each place of the longest series."""
    made = []
    for place in range(max(map(len, series.values()))):
        found: dict[str, dict[Labels, float]] = {}
        for written, values in series.items():
            value = values[place] if place < len(values) else None
            if value is not None:
                name, labels = labels_of(written)
                found.setdefault(name, {})[labels] = value
        made.append(Moment(begin + place * step_s, found))
    return made


def worked_out(text: str, series: Series, at_s: float, begin: float = BEGIN) -> Value:
    """What an expression comes to `at_s` seconds after the first snapshot."""
    return evaluate(parse(text), Window(moments(series, begin)), begin + at_s)

"""How a dashboard's panels are drawn for the docs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.observability.answers import Line, Span
from benchmarks.observability.draw import KINDS, NAMED
from benchmarks.observability.places import DASHBOARDS, PICTURES, REPOSITORY
from benchmarks.observability.queries import panels
from benchmarks.observability.told import gauges
from benchmarks.observability.units import text
from serve_app.alerts.rules import read

SPAN = Span(0.0, 240.0, 60.0, "4m")


@pytest.fixture
def axes() -> Axes:
    made: Axes = Figure(figsize=(4, 3)).add_axes((0.1, 0.1, 0.8, 0.8))
    return made


def line(name: str, *values: float) -> Line:
    return Line(name, np.array(values, dtype=np.float64))


def panel(**defaults: Any) -> dict[str, Any]:
    return {"title": "x", "fieldConfig": {"defaults": defaults}}


def marks(*steps: tuple[float | None, str]) -> dict[str, Any]:
    return {"steps": [{"value": value, "color": colour} for value, colour in steps]}


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "shown"),
    [
        (0.0123, "percentunit", 2, "1.23%"),
        (0.5, "percentunit", None, "50%"),
        (25.289, "currencyUSD", 2, "$25.29"),
        (13824.0, "currencyUSD", 2, "$13.82 K"),
        (0.0004, "s", None, "400 µs"),
        (1.84, "s", None, "1.84 s"),
        (90, "s", None, "1.5 min"),
        (9.158, "reqps", None, "9.16 req/s"),
        (325058560, "bytes", None, "310 MiB"),
        (0, "short", None, "0"),
        (0.0213, "suffix:/s", None, "0.0213/s"),
        (3241.7, "suffix: tok/s", None, "3242 tok/s"),
        (4127.3, "short", None, "4.13 K"),
    ],
)
def test_values_read_as_in_grafana(
    value: float, unit: str, decimals: int | None, shown: str
) -> None:
    assert text(value, unit, decimals) == shown


def test_a_number_has_the_colour_of_the_highest_mark_it_reaches(axes: Axes) -> None:
    steps = marks((None, "green"), (0.01, "orange"), (0.05, "red"))
    shape = panel(unit="percentunit", decimals=1, thresholds=steps)
    KINDS["stat"](axes, shape, [line("failed", 0.002, 0.1, 0.03, 0.02, float("nan"))], SPAN)
    [shown] = axes.texts
    assert (shown.get_text(), shown.get_color()) == ("2.0%", NAMED["orange"])


def test_stacked_lines_add_up(axes: Axes) -> None:
    shape = panel(unit="short", custom={"stacking": {"mode": "normal"}})
    KINDS["timeseries"](axes, shape, [line("a", 1, 1, 1, 1, 1), line("b", 2, 2, 2, 2, 2)], SPAN)
    assert [np.asarray(drawn.get_ydata()).tolist() for drawn in axes.lines] == [
        [1.0] * 5,
        [3.0] * 5,
    ]


def test_a_state_is_a_band_for_as_long_as_it_lasts(axes: Axes) -> None:
    known = {"0": {"text": "up", "color": "green"}, "1": {"text": "down", "color": "red"}}
    shape = panel(mappings=[{"options": known}])
    KINDS["state-timeline"](axes, shape, [line("redis", 0, 0, 1, float("nan"), 0)], SPAN)
    bands = [(band.get_x(), band.get_width()) for band in axes.patches]  # type: ignore[attr-defined]
    assert bands == [(0.0, 120.0), (120.0, 60.0), (240.0, 60.0)]


def test_bars_say_so_if_there_is_none(axes: Axes) -> None:
    KINDS["bargauge"](axes, panel(unit="short", thresholds=marks((None, "green"))), [], SPAN)
    assert [shown.get_text() for shown in axes.texts] == ["none"]


def test_every_kind_of_panel_can_be_drawn() -> None:
    kinds = {panel["type"] for page in DASHBOARDS.glob("*.json") for panel in panels(page)}
    assert kinds <= {"row", *KINDS}


def test_every_dashboard_has_its_picture_in_the_docs() -> None:
    docs = (REPOSITORY / "docs" / "observability.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\(pictures/(dashboard-[\w-]+\.png)\)", docs))
    assert shown == {f"dashboard-{page.stem}.png" for page in DASHBOARDS.glob("*.json")}
    for name in shown:
        with Image.open(PICTURES / name) as picture:
            assert picture.width == 1500


def test_alerts_of_the_made_up_day_are_shipped_ones() -> None:
    known = {(rule.name, rule.severity) for rule in read(REPOSITORY / "configs" / "alerts.yaml")}
    assert set(gauges(0.0)["serve_app_alerts_firing"]) <= known

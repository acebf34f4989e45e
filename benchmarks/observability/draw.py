"""Draws the kinds of panels that our dashboards have, in Grafana's dark colours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from benchmarks.observability.answers import Line, Span
from benchmarks.observability.units import text

PAGE, PANEL, EDGE = "#111217", "#181b1f", "#2c3037"
WORDS, FAINT = "#d8d9da", "#8e9096"
NAMED = {
    "green": "#73bf69",
    "orange": "#ff9830",
    "red": "#f2495c",
    "blue": "#5794f2",
}
_SERIES = (
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#37bfb0",
    "#fade2a", "#a16cd4", "#96d98d", "#c0d8ff", "#ffb357", "#e24d42", "#7eb26d",
)  # fmt: skip
_MOST_NAMED = 8

Panel = dict[str, Any]


def _defaults(panel: Panel) -> dict[str, Any]:
    made: dict[str, Any] = panel.get("fieldConfig", {}).get("defaults", {})
    return made


def _colour(panel: Panel, value: float) -> str:
    """Of the highest threshold that the value reaches."""
    chosen = "green"
    for step in _defaults(panel)["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            chosen = step["color"]
    return NAMED[chosen]


def number(at: Axes, panel: Panel, lines: list[Line], span: Span) -> None:
    """One value, large, with its course behind it."""
    at.axis("off")
    if not lines:
        return
    line, shape = lines[0], _defaults(panel)
    colour = _colour(panel, line.last)
    course = np.nan_to_num(line.values)
    at.fill_between(span.times, course, color=colour, alpha=0.14, lw=0)
    at.plot(span.times, course, color=colour, lw=0.8, alpha=0.6)
    at.set_xlim(span.start, span.end)
    at.set_ylim(0, max(float(course.max()), 1e-9) * 2.6)
    shown = text(line.last, shape.get("unit", ""), shape.get("decimals"))
    at.text(0.5, 0.62, shown, transform=at.transAxes, color=colour, fontsize=17,
            ha="center", va="center", weight="bold")  # fmt: skip


def courses(at: Axes, panel: Panel, lines: list[Line], span: Span) -> None:
    """Lines over time, one above the other where the panel says so."""
    shape = _defaults(panel)
    lines = [line for line in lines if np.isfinite(line.values).any()]
    if _is_stacked(shape):
        below = np.zeros(len(span.times))
        for line, colour in zip(lines, _endless(), strict=False):
            above = below + np.nan_to_num(line.values)
            at.fill_between(span.times, below, above, color=colour, alpha=0.55, lw=0)
            at.plot(span.times, above, color=colour, lw=0.7, label=line.name)
            below = above
    else:
        for line, colour in zip(lines, _endless(), strict=False):
            at.plot(span.times, line.values, color=colour, lw=1.0, label=line.name)
            if len(lines) < 4:
                at.fill_between(span.times, np.nan_to_num(line.values), color=colour, alpha=0.07)
    _scales(at, shape, span)
    _names(at, lines)


def _is_stacked(shape: dict[str, Any]) -> bool:
    return bool(shape.get("custom", {}).get("stacking", {}).get("mode") == "normal")


def _endless() -> list[str]:
    return [*_SERIES] * 4


def _scales(at: Axes, shape: dict[str, Any], span: Span) -> None:
    at.set_xlim(span.start, span.end)
    top = max(at.get_ylim()[1], 1e-9)
    at.set_ylim(0, shape.get("max") or top)
    at.yaxis.set_major_locator(_few())
    unit = shape.get("unit", "")
    at.yaxis.set_major_formatter(lambda value, _: text(round(value, 12), unit))
    _hours(at, span)
    at.set_axisbelow(True)
    at.grid(color=EDGE, lw=0.6)
    for side in at.spines.values():
        side.set_visible(False)
    at.tick_params(colors=FAINT, labelsize=6.5, length=0, pad=3)


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=4, min_n_ticks=2)


def _hours(at: Axes, span: Span) -> None:
    ticks = [tick for tick in span.times if tick % 3600 == 0][1:]
    at.set_xticks(ticks, [datetime.fromtimestamp(tick, UTC).strftime("%H:%M") for tick in ticks])


def _names(at: Axes, lines: list[Line]) -> None:
    handles, names = at.get_legend_handles_labels()
    shown = names[:_MOST_NAMED]
    if not shown:
        return
    if len(names) > _MOST_NAMED:
        shown[-1] = f"and {len(names) - _MOST_NAMED + 1} more"
    longest = max(len(name) for name in shown)
    width = at.get_window_extent().width
    columns = max(1, min(len(shown), int(width / (longest * 4.6 + 26))))
    at.legend(handles[: len(shown)], shown, loc="upper left", bbox_to_anchor=(-0.02, -0.1),
              ncols=columns, fontsize=6.5, frameon=False, labelcolor=FAINT, handlelength=1.2,
              columnspacing=1.0, labelspacing=0.25, borderpad=0.2)  # fmt: skip


def bars(at: Axes, panel: Panel, lines: list[Line], span: Span) -> None:
    """A bar for each value of now."""
    at.axis("off")
    if not lines:
        at.text(0.5, 0.5, "none", transform=at.transAxes, color=NAMED["green"], ha="center")
        return
    shape = _defaults(panel)
    most = shape.get("max") or max([1e-9, *(line.last for line in lines)])
    at.set_xlim(0, 1)
    at.set_ylim(-0.6, max(len(lines), 4) - 0.4)
    for row, line in enumerate(lines):
        up = max(len(lines), 4) - 1 - row
        colour = _colour(panel, line.last)
        at.text(0.3, up, line.name, color=WORDS, fontsize=7, ha="right", va="center")
        at.add_patch(Rectangle((0.32, up - 0.32), 0.52, 0.64, color="#22252b", lw=0))
        share = min(line.last / most, 1.0)
        at.add_patch(Rectangle((0.32, up - 0.32), 0.52 * share, 0.64, color=colour, alpha=0.75))
        shown = text(line.last, shape.get("unit", ""), shape.get("decimals"))
        at.text(0.86, up, shown, color=colour, fontsize=7.5, va="center")


def states(at: Axes, panel: Panel, lines: list[Line], span: Span) -> None:
    """A band for each series, coloured by its state."""
    words = _defaults(panel)["mappings"][0]["options"]
    at.set_ylim(-0.5, max(len(lines), 3) - 0.5)
    for row, line in enumerate(lines):
        up = max(len(lines), 3) - 1 - row
        for start, end, value in _runs(line, span):
            known = words.get(f"{value:.0f}", {"text": f"{value:g}", "color": "blue"})
            band = (start, up - 0.36), end - start, 0.72
            at.add_patch(Rectangle(*band, color=NAMED[known["color"]], alpha=0.8, lw=0))
            if end - start > 0.12 * (span.end - span.start):
                middle = (start + end) / 2
                at.text(
                    middle, up, known["text"], color=PAGE, fontsize=6.5, ha="center", va="center"
                )
    at.set_xlim(span.start, span.end)
    names = [line.name for line in reversed(lines)]
    first = max(len(lines), 3) - len(lines)
    at.set_yticks(range(first, first + len(names)), names)
    _hours(at, span)
    for side in at.spines.values():
        side.set_visible(False)
    at.tick_params(colors=FAINT, labelsize=6.5, length=0, pad=3)


def _runs(line: Line, span: Span) -> list[tuple[float, float, float]]:
    """Stretches of equal values: from, to, value."""
    times, values = span.times, line.values
    found: list[tuple[float, float, float]] = []
    for number_, value in enumerate(values):
        if np.isnan(value):
            continue
        begins = times[number_]
        if found and found[-1][2] == value and found[-1][1] == begins:
            found[-1] = (found[-1][0], begins + span.step_s, value)
        else:
            found.append((begins, begins + span.step_s, float(value)))
    return found


def words(at: Axes, panel: Panel, lines: list[Line], span: Span) -> None:
    """A line of text."""
    at.axis("off")
    content = panel["options"]["content"].replace("`", "")
    at.text(0, 0.5, content, transform=at.transAxes, color=FAINT, fontsize=8, va="center")


KINDS: dict[str, Callable[[Axes, Panel, list[Line], Span], None]] = {
    "stat": number,
    "timeseries": courses,
    "bargauge": bars,
    "state-timeline": states,
    "text": words,
}

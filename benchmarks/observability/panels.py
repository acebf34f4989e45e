"""The few kinds of panels that our dashboards are made of, all asking the chosen Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders.bargauge import Panel as BarGauge
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline
from grafana_foundation_sdk.builders.text import Panel as Text
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.text import TextMode

Panel = Stat | Timeseries | BarGauge | StateTimeline | Text
Marks = Sequence[tuple[float, str]]
"""From which value on which colour."""

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""Whichever Prometheus is chosen at the top of the dashboard."""

USD = "currencyUSD"
SECONDS = "s"
SHARE = "percentunit"
PER_SECOND = "reqps"
EACH_SECOND = "suffix:/s"
TOKENS_A_SECOND = "suffix: tok/s"
COUNT = "short"
BYTES = "bytes"


def query(ref: str, expr: str, legend: str, *, exemplars: bool = False) -> Dataquery:
    """A query over the dashboard's time range; `legend` may name labels as `{{label}}`."""
    asked = Dataquery().ref_id(ref).expr(expr).legend_format(legend).range()
    return asked.exemplar(True) if exemplars else asked


def _all(queries: Mapping[str, str], exemplars: bool = False) -> list[Builder[AnyQuery]]:
    return [
        query(chr(ord("A") + number), expr, legend, exemplars=exemplars)
        for number, (legend, expr) in enumerate(queries.items())
    ]


def _thresholds(marks: Marks, base: str) -> ThresholdsConfig:
    steps = [Threshold(color=base), *(Threshold(value, color) for value, color in marks)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def number(
    title: str,
    expr: str,
    unit: str,
    *,
    says: str,
    marks: Marks = (),
    decimals: int | None = None,
    base: str = "green",
) -> Stat:
    """One large number with its course behind it; `says` is the panel's explanation."""
    panel = (
        Stat()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .span(4)
        .height(4)
        .no_value("none")
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(marks, base))
        .with_target(query("A", expr, title))
    )
    return panel if decimals is None else panel.decimals(decimals)


def lines(
    title: str,
    queries: Mapping[str, str],
    unit: str,
    *,
    says: str,
    span: int = 8,
    stacked: bool = False,
    exemplars: bool = False,
    most: float | None = None,
) -> Timeseries:
    """Courses over time.

    Args:
        queries: legend -> expression; a legend may name labels as `{{label}}`.
        exemplars: also show single requests, with links to their traces.
        most: upper end of the axis; the highest value otherwise.
    """
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True)
    panel = (
        Timeseries()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(8)
        .min(0)
        .line_width(1)
        .fill_opacity(60 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(legend.placement(LegendPlacement.BOTTOM))
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .targets(_all(queries, exemplars))
    )
    if stacked:
        panel = panel.stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return panel if most is None else panel.max(most)


def bars(
    title: str,
    expr: str,
    legend: str,
    unit: str,
    *,
    says: str,
    marks: Marks = (),
    span: int = 8,
    most: float | None = None,
) -> BarGauge:
    """One bar per series, of its value now."""
    panel = (
        BarGauge()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(8)
        .min(0)
        .no_value("none")
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(marks, "green"))
        .with_target(query("A", expr, legend).instant())
    )
    return panel if most is None else panel.max(most)


def states(
    title: str,
    queries: Mapping[str, str],
    words: Mapping[str, tuple[str, str]],
    *,
    says: str,
    span: int = 8,
) -> StateTimeline:
    """A band per series, coloured by its state: value -> (word, colour)."""
    known = {
        value: ValueMappingResult(text=text, color=color) for value, (text, color) in words.items()
    }
    return (
        StateTimeline()
        .title(title)
        .description(says)
        .datasource(SOURCE)
        .span(span)
        .height(8)
        .mappings([ValueMap(known)])
        .legend(VizLegendOptions().show_legend(False).display_mode(LegendDisplayMode.LIST))
        .targets(_all(queries))
    )


def note(text: str) -> Text:
    """A line of explanation across the dashboard, in Markdown."""
    return Text().mode(TextMode.MARKDOWN).content(text).span(24).height(2).transparent(True)

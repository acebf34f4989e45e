"""A dashboard: its rows of panels, the choice of the Prometheus, and links to its sisters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.models.common import TimeZoneBrowser
from grafana_foundation_sdk.models.dashboard import (
    Dashboard as Made,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from benchmarks.observability.panels import SOURCE, Panel

TAG = "serve-app"


def page(
    title: str,
    says: str,
    rows: Mapping[str, Sequence[Panel]],
    variables: Mapping[str, str] | None = None,
) -> Made:
    """
    Args:
        rows: title of a row -> its panels, from left to right; an empty title is no row.
        variables: name -> the query that lists its values, `label_values(metric, label)`.
    """
    made = (
        Dashboard(f"serve-app: {title}")
        .description(says)
        .tags([TAG])
        .timezone(TimeZoneBrowser)
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_sisters())
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for name, asks in (variables or {}).items():
        made = made.with_variable(_choice(name, asks))
    for row, panels in rows.items():
        if row:
            made = made.with_row(Row(row))
        for panel in panels:
            made = made.with_panel(panel)
    return _numbered(made.build())


def _sisters() -> DashboardLink:
    link = DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.keep_time(True).include_vars(True)


def _choice(name: str, asks: str) -> QueryVariable:
    everything = VariableOption(selected=True, text="All", value="$__all")
    return (
        QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(asks)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(everything)
    )


def _numbered(made: Made) -> Made:
    """Grafana gives no numbers to panels of an imported file, and links to panels need them."""
    for number, panel in enumerate(made.panels or [], start=1):
        panel.id_val = number
    return made

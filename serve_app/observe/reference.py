"""The list of the metrics, written from the catalogue.

`python -m serve_app.observe.reference` prints docs/metrics.md; a test compares.
"""

from __future__ import annotations

import sys
from typing import Final

from serve_app.observe.catalog import METRICS
from serve_app.observe.metric import Kind, Metric

_HEAD: Final = """# Metrics

<!-- Written by `python -m serve_app.observe.reference`; do not edit. -->

`GET /metrics` of any replica shows the figures of the **whole service**: counters are exact
totals over all replicas and workers, also of those that are gone. Every process counts for itself
and adds what is new to the totals in Redis twice a second, each difference once; the answering
one brings its own up to date first. So what was counted elsewhere is there within a second, and a
process that is killed loses what it counted in its last second. Gauges are of the processes that
are there; the table says how their values become one.

The format is Prometheus' text format, or OpenMetrics for who asks for it (`Accept:
application/openmetrics-text`, as Prometheus does): its latency buckets then come with an
exemplar, the `trace_id` of a request that fell there, or its `request_id` where there is no
trace. Names that begin with `gen_ai_` are those of OpenTelemetry's semantic conventions.

While Redis is away, `serve_app_metrics_complete` is 0. A gateway of one replica then shows the
totals as far as it knows them. One of several leaves the counters out, because each replica would
tell other ones, and a counter that goes down looks like a new beginning; they go on where they
were when Redis is back. Gauges are then those of the answering process.

`metrics.tenants: true` in the policy gives requests, tokens and cost a label `tenant`, for up to
`metrics.max_tenants` tenants; the others share `tenant="other"`. Every label has at most 200
values, and there are at most 20000 series; what comes then is counted as `other`.
`metrics.enabled: false` ends the counting of requests.
"""
_TITLES: Final[dict[Kind, str]] = {
    "counter": "Counters",
    "histogram": "Histograms",
    "gauge": "Gauges",
}
_ABOUT: Final[dict[Kind, str]] = {
    "counter": "They only grow.",
    "histogram": "Each has `NAME_bucket` with a label `le`, `NAME_sum` and `NAME_count`.",
    "gauge": "`sum`, `max` or `min`: what becomes of the values of several processes.",
}


def render() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_table(kind) for kind in _TITLES)])


def _table(kind: Kind) -> str:
    last = {"counter": "", "histogram": " upper bounds of the buckets |", "gauge": " joined by |"}[
        kind
    ]
    columns = f"| name | labels | meaning |{last}"
    rows = [_row(metric) for metric in METRICS.values() if metric.kind == kind]
    rule = "| --- " * (columns.count("|") - 1) + "|"
    return "\n".join([f"## {_TITLES[kind]}\n", _ABOUT[kind], "", columns, rule, *rows, ""])


def _row(metric: Metric) -> str:
    labels = [f"`{label}`" for label in metric.labels]
    if metric.by_tenant:
        labels.append("(`tenant`)")
    cells = [f"`{metric.name}`", ", ".join(labels), metric.help]
    if metric.kind == "histogram":
        cells.append(", ".join(f"{bound:.12g}" for bound in metric.buckets))
    if metric.kind == "gauge":
        cells.append(metric.joined)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(render())

"""The first dashboard to look at: is the service well, and if not, since when and where."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from benchmarks.observability.page import page
from benchmarks.observability.panels import (
    COUNT,
    EACH_SECOND,
    PER_SECOND,
    SECONDS,
    SHARE,
    USD,
    Panel,
    bars,
    lines,
    number,
    states,
)
from benchmarks.observability.terms import OVER, mean, quantile, rate, ratio, usd_per_hour

REQUESTS = "serve_app_requests_total"
FAILED = rate(REQUESTS, where='status=~"5.."')
FIRST_TOKEN = "gen_ai_server_time_to_first_token_seconds"
SERVED = rate("serve_app_cache_lookups_total", where='level=~"l1|l2|semantic|flight"')
LOOKED = rate("serve_app_cache_lookups_total", where='level!="bypass"')
UP_DOWN = {"0": ("down", "red"), "1": ("up", "green")}
FIRING = {"0": ("quiet", "green"), "1": ("firing", "red")}


def dashboard() -> Dashboard:
    """Six numbers, then traffic, time, refusals, and what the service itself runs on."""
    rows = {
        "": _now(),
        "Traffic": _traffic(),
        "Where the time goes": _time(),
        "Refused, found, called": _refused(),
        "What it runs on": _house(),
        "Watching itself": _watch(),
    }
    return page("service", "Whether the service is well, and where it is not.", rows)


def _now() -> list[Panel]:
    return [
        number("Requests", rate(REQUESTS), PER_SECOND, says="Requests a second, of all routes."),
        number(
            "Failed",
            ratio(FAILED, rate(REQUESTS)),
            SHARE,
            says="Share of requests that ended with a status of 500 or more.",
            marks=[(0.01, "orange"), (0.05, "red")],
            decimals=2,
        ),
        number(
            "Latency p95",
            quantile(0.95, "serve_app_request_seconds"),
            SECONDS,
            says="95 of 100 requests were over sooner, from the first byte in to the last one out.",
            marks=[(2.5, "orange"), (5, "red")],
        ),
        number(
            "First token p95",
            quantile(0.95, FIRST_TOKEN),
            SECONDS,
            says="95 of 100 streams began sooner, as seen at the backends.",
            marks=[(1, "orange"), (2.5, "red")],
        ),
        number(
            "Cost an hour",
            usd_per_hour("serve_app_cost_micro_usd_total"),
            USD,
            says="What the providers charge at the rate of the moment.",
            base="blue",
            decimals=2,
        ),
        number(
            "From the cache",
            ratio(SERVED, LOOKED),
            SHARE,
            says="Share of cache lookups that found an answer, or an equal request at work.",
            base="blue",
        ),
    ]


def _traffic() -> list[Panel]:
    seconds = "serve_app_request_seconds"
    return [
        lines(
            "Requests by route",
            {"{{route}}": rate(REQUESTS, "route")},
            PER_SECOND,
            says="Requests a second.",
            stacked=True,
        ),
        lines(
            "Latency",
            {f"p{q * 100:g}": quantile(q, seconds) for q in (0.5, 0.95, 0.99)},
            SECONDS,
            says="The points are single requests (exemplars): each leads to its trace.",
            exemplars=True,
        ),
        lines(
            "Errors by code",
            {"{{code}}": rate("serve_app_errors_total", "code")},
            PER_SECOND,
            says="Requests that ended with an error of ours, by its code.",
            stacked=True,
        ),
        lines(
            "Answers by status",
            {"{{status}}": rate(REQUESTS, "status")},
            PER_SECOND,
            says="Requests a second by HTTP status; 499: the caller left.",
            stacked=True,
        ),
        lines(
            "Latency p95 by route",
            {"{{route}}": quantile(0.95, seconds, "route")},
            SECONDS,
            says="One slow route hides behind many quick ones.",
        ),
        lines(
            "Being answered",
            {"requests": "serve_app_running_requests", "tasks": "serve_app_tasks_here"},
            COUNT,
            says="Requests and background tasks under way, of all replicas.",
        ),
    ]


def _time() -> list[Panel]:
    return [
        lines(
            "Mean time by stage",
            {"{{stage}}": mean("serve_app_stage_seconds", "stage")},
            SECONDS,
            says="What each stage takes of a request that comes by it.",
            span=12,
            stacked=True,
        ),
        lines(
            "p95 by stage",
            {"{{stage}}": quantile(0.95, "serve_app_stage_seconds", "stage")},
            SECONDS,
            says="The answer itself dwarfs the rest; where it does not, look there.",
            span=12,
        ),
    ]


def _refused() -> list[Panel]:
    return [
        lines(
            "Refused by limits",
            {"{{code}}": rate("serve_app_limits_refused_total", "code")},
            PER_SECOND,
            says="Requests over a rate limit or a budget, by the limit's code.",
            stacked=True,
        ),
        lines(
            "Findings of filters",
            {"{{rule}} {{action}}": rate("serve_app_filter_findings_total", "rule, action")},
            EACH_SECOND,
            says="What the filters found, by rule, and what became of it.",
            stacked=True,
        ),
        lines(
            "Tool calls",
            {"{{tool}} {{outcome}}": rate("serve_app_tool_calls_total", "tool, outcome")},
            EACH_SECOND,
            says="Calls of tools that run here, by tool or server.",
            stacked=True,
        ),
        lines(
            "Decisions of stages",
            {
                "{{stage}} {{decision}}": rate(
                    "serve_app_stage_decisions_total",
                    "stage, decision",
                    'stage=~"admission|input_filter|output_filter|router|conversation"',
                )
            },
            EACH_SECOND,
            says="What the stages decided.",
            span=12,
        ),
        lines(
            "Cache lookups",
            {"{{level}}": rate("serve_app_cache_lookups_total", "level")},
            EACH_SECOND,
            says="Where answers were found; `bypass`: the caller wanted none from the cache.",
            span=12,
            stacked=True,
        ),
    ]


def _house() -> list[Panel]:
    return [
        lines(
            "Replicas",
            {
                "{{deployment}} up": 'serve_app_replicas{state="up"}',
                "{{deployment}} wanted": 'serve_app_replicas{state="wanted"}',
            },
            COUNT,
            says="Replicas that are there, and how many there should be.",
        ),
        lines(
            "Event-loop lag",
            {"worst replica": "serve_app_event_loop_lag_seconds"},
            SECONDS,
            says="How late the worst replica's event loop is. Above 0.1 s: it has too much to do.",
        ),
        states(
            "Redis",
            {"as the worst replica sees it": "serve_app_redis_up"},
            UP_DOWN,
            says="Without Redis there is no shared cache, no conversation and no exact limit.",
        ),
        lines(
            "Background tasks",
            {"{{state}} {{priority}}": 'serve_app_tasks{state=~"pending|delayed|running|dead"}'},
            COUNT,
            says="Tasks that wait, run, or ran out of tries.",
            stacked=True,
        ),
        lines(
            "Oldest waiting task",
            {"age": "serve_app_tasks_oldest_seconds"},
            SECONDS,
            says="A backlog that grows shows here first.",
        ),
        lines(
            "Draining since",
            {"longest": "serve_app_draining_seconds"},
            SECONDS,
            says="How long the slowest replica has been waiting for its last requests.",
        ),
    ]


def _watch() -> list[Panel]:
    return [
        states(
            "Alerts of the service itself",
            {"{{alert}} {{severity}}": "serve_app_alerts_firing"},
            FIRING,
            says="What the service's own alerts say (docs/alerts.md).",
        ),
        lines(
            "Alert messages in 5 minutes",
            {
                "{{channel}} {{outcome}}": "sum by (channel, outcome) "
                "(increase(serve_app_alerts_sent_total[5m]))"
            },
            COUNT,
            says="Messages to the alert channels, and whether they arrived.",
        ),
        bars(
            "Given up in this hour",
            "sum by (what) (increase(serve_app_lost_total[1h]))",
            "{{what}}",
            COUNT,
            says="What had to be given up because a buffer was full. It should be empty.",
            marks=[(1, "red")],
        ),
        lines(
            "Usage records",
            {"{{what}}": rate("serve_app_records_total", "what")},
            EACH_SECOND,
            says="Rows written, put by on disk while the database was away, or lost.",
        ),
        lines(
            "Records that wait",
            {"rows": "serve_app_records_waiting"},
            COUNT,
            says="Rows that are not in the database yet.",
        ),
        states(
            "Metrics are complete",
            {"totals": f"min_over_time(serve_app_metrics_complete[{OVER}])"},
            {"0": ("this replica only", "orange"), "1": ("whole service", "green")},
            says="Without Redis a scrape shows the last totals that were known.",
        ),
    ]

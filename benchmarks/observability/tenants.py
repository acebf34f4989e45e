"""Who uses it: traffic, tokens and cost of each tenant."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from benchmarks.observability.page import page
from benchmarks.observability.panels import (
    COUNT,
    PER_SECOND,
    SHARE,
    TOKENS_A_SECOND,
    USD,
    Panel,
    bars,
    lines,
    note,
    number,
)
from benchmarks.observability.terms import rate, ratio, usd_per_hour

REQUESTS = "serve_app_requests_total"
TOKENS = "serve_app_tokens_total"
COST = "serve_app_cost_micro_usd_total"
CHOSEN = 'tenant=~"$tenant"'

_NOTE = (
    "Needs the label `tenant`, which the policy switches on (`metrics.tenants`, docs/metrics.md). "
    "Tenants beyond the cap are summed up as `other`. The exact bill is in `serve-app cost report`."
)


def dashboard() -> Dashboard:
    """Traffic, failures, tokens and cost, for the chosen tenants."""
    says = "Who uses the service, and what each costs."
    chosen = {"tenant": f"label_values({REQUESTS}, tenant)"}
    return page("tenants", says, {"": [note(_NOTE), *_now()], "By tenant": _each()}, chosen)


def _now() -> list[Panel]:
    failed = rate(REQUESTS, where=f'{CHOSEN}, status=~"5.."')
    refused = rate(REQUESTS, where=f'{CHOSEN}, status="429"')
    everything = rate(REQUESTS, where=CHOSEN)
    return [
        number(
            "Tenants",
            f"count({rate(REQUESTS, 'tenant', CHOSEN)} > 0)",
            COUNT,
            says="Those with traffic at the moment.",
            base="blue",
        ),
        number("Requests", everything, PER_SECOND, says="Requests a second."),
        number(
            "Failed",
            ratio(failed, everything),
            SHARE,
            says="Share of requests that ended with a status of 500 or more.",
            marks=[(0.01, "orange"), (0.05, "red")],
            decimals=2,
        ),
        number(
            "Refused by limits",
            ratio(refused, everything),
            SHARE,
            says="Share of requests over a rate limit or a budget.",
            marks=[(0.01, "orange")],
            decimals=2,
        ),
        number(
            "Cost an hour",
            usd_per_hour(COST, where=CHOSEN),
            USD,
            says="At the rate of the moment.",
            decimals=2,
        ),
        number(
            "Last 24 hours",
            f"sum(increase({COST}{{{CHOSEN}}}[1d])) / 1e6",
            USD,
            says="Spent in a day.",
            decimals=2,
        ),
    ]


def _each() -> list[Panel]:
    def share(status: str) -> str:
        part = rate(REQUESTS, "tenant", f"{CHOSEN}, {status}")
        return ratio(part, rate(REQUESTS, "tenant", CHOSEN))

    return [
        lines(
            "Requests",
            {"{{tenant}}": rate(REQUESTS, "tenant", CHOSEN)},
            PER_SECOND,
            says="Requests a second.",
            stacked=True,
        ),
        lines(
            "Cost an hour",
            {"{{tenant}}": usd_per_hour(COST, "tenant", CHOSEN)},
            USD,
            says="USD an hour.",
            stacked=True,
        ),
        bars(
            "Last 24 hours",
            f"sort_desc(sum by (tenant) (increase({COST}{{{CHOSEN}}}[1d])) / 1e6)",
            "{{tenant}}",
            USD,
            says="The dearest first.",
        ),
        lines(
            "Tokens",
            {"{{tenant}}": rate(TOKENS, "tenant", f'{CHOSEN}, direction=~"input|output"')},
            TOKENS_A_SECOND,
            says="Tokens a second, in and out.",
            stacked=True,
        ),
        lines(
            "Failed",
            {"{{tenant}}": share('status=~"5.."')},
            SHARE,
            says="Share of requests that ended with a status of 500 or more.",
        ),
        lines(
            "Refused by limits",
            {"{{tenant}}": share('status="429"')},
            SHARE,
            says="Share of requests over a rate limit or a budget.",
        ),
        bars(
            "Budgets near their end",
            "sort_desc(serve_app_budget_used_ratio)",
            "{{scope}} {{name}} {{period}}",
            SHARE,
            says="Only those at or above their soft mark.",
            marks=[(0.8, "orange"), (1, "red")],
            most=1.0,
            span=12,
        ),
        lines(
            "Cost of a thousand requests",
            {
                "{{tenant}}": f"{rate(COST, 'tenant', CHOSEN)} / "
                f"{rate(REQUESTS, 'tenant', CHOSEN)} / 1e3"
            },
            USD,
            says="Whose requests are dear.",
            span=12,
        ),
    ]

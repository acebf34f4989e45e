"""What it costs, what costs it, and what the cache saves."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from benchmarks.observability.page import page
from benchmarks.observability.panels import (
    BYTES,
    COUNT,
    EACH_SECOND,
    SHARE,
    TOKENS_A_SECOND,
    USD,
    Panel,
    bars,
    lines,
    number,
)
from benchmarks.observability.terms import rate, ratio, usd_per_hour

COST = "serve_app_cost_micro_usd_total"
SAVED = "serve_app_saved_micro_usd_total"
TOKENS = "serve_app_tokens_total"
LOOKUPS = "serve_app_cache_lookups_total"
CACHED = rate(TOKENS, where='direction="cached"')
PROMPT = rate(TOKENS, where='direction="input"')


def dashboard() -> Dashboard:
    """Money first, then tokens, then the cache."""
    rows = {
        "": _now(),
        "Money": _money(),
        "Tokens": _tokens(),
        "The cache": _cache(),
    }
    says = "What the service costs, by backend and model, and what the cache saves."
    return page("cost", says, rows)


def _spent(counter: str, window: str) -> str:
    return f"sum(increase({counter}[{window}])) / 1e6"


def _now() -> list[Panel]:
    return [
        number(
            "Cost an hour", usd_per_hour(COST), USD, says="At the rate of the moment.", decimals=2
        ),
        number("Last 24 hours", _spent(COST, "1d"), USD, says="Spent in a day.", decimals=2),
        number(
            "A month like this day",
            f"{_spent(COST, '1d')} * 30",
            USD,
            says="The last 24 hours, thirty times. `serve-app cost estimate` forecasts better.",
            decimals=2,
        ),
        number(
            "Saved in 24 hours",
            _spent(SAVED, "1d"),
            USD,
            says="What the answers from the cache cost when they were made.",
            decimals=2,
        ),
        number(
            "Share saved",
            ratio(rate(SAVED), f"({rate(COST)} + {rate(SAVED)})"),
            SHARE,
            says="Of what it would cost without the cache.",
            base="blue",
        ),
        number(
            "1,000 requests",
            f"{rate(COST)} / {rate('serve_app_requests_total')} / 1e3",
            USD,
            says="Cost of a thousand requests at the rate of the moment.",
            base="blue",
            decimals=2,
        ),
    ]


def _money() -> list[Panel]:
    return [
        lines(
            "Cost an hour by backend",
            {"{{backend}}": usd_per_hour(COST, "backend")},
            USD,
            says="USD an hour.",
            stacked=True,
        ),
        lines(
            "Cost an hour by model",
            {"{{model}}": usd_per_hour(COST, "model")},
            USD,
            says="USD an hour.",
            stacked=True,
        ),
        lines(
            "Saved an hour by model",
            {"{{model}}": usd_per_hour(SAVED, "model")},
            USD,
            says="USD an hour that answers from the cache would have cost.",
            stacked=True,
        ),
        bars(
            "Last 24 hours by model",
            f"sort_desc(sum by (model) (increase({COST}[1d])) / 1e6)",
            "{{model}}",
            USD,
            says="The dearest first.",
        ),
        lines(
            "1,000 tokens by model",
            {
                "{{model}}": f"{rate(COST, 'model')} / 1e3 / "
                + rate(TOKENS, "model", 'direction=~"input|output"')
            },
            USD,
            says="What a thousand tokens cost, in and out together. A jump is a new price or use.",
        ),
        bars(
            "Budgets near their end",
            "sort_desc(serve_app_budget_used_ratio)",
            "{{scope}} {{name}} {{period}}",
            SHARE,
            says="Only those at or above their soft mark; at 100 % requests are refused.",
            marks=[(0.8, "orange"), (1, "red")],
            most=1.0,
        ),
    ]


def _tokens() -> list[Panel]:
    return [
        lines(
            "Tokens by direction",
            {"{{direction}}": rate(TOKENS, "direction")},
            TOKENS_A_SECOND,
            says="Tokens a second; `cached`: of the input, what providers had in their own cache.",
        ),
        lines(
            "Output tokens by model",
            {"{{model}}": rate(TOKENS, "model", 'direction="output"')},
            TOKENS_A_SECOND,
            says="Tokens a second.",
            stacked=True,
        ),
        lines(
            "Input in the providers' caches",
            {"share": ratio(CACHED, PROMPT)},
            SHARE,
            says="Long prompts with the same beginning are cheaper.",
            most=1.0,
        ),
    ]


def _cache() -> list[Panel]:
    found = {
        level: ratio(
            rate(LOOKUPS, where=f'level="{level}"'), rate(LOOKUPS, where='level!="bypass"')
        )
        for level in ("l1", "l2", "semantic", "flight")
    }
    return [
        lines(
            "Found, by level",
            found,
            SHARE,
            says="Share of lookups that each level answers.",
            stacked=True,
            most=1.0,
        ),
        lines(
            "Wrong hits by likeness",
            {"{{bound}}": "serve_app_cache_wrong_share"},
            SHARE,
            says="Estimated share of wrong hits, with its 95 % interval.",
        ),
        lines(
            "Lookups",
            {"{{level}}": rate(LOOKUPS, "level")},
            EACH_SECOND,
            says="Lookups a second, by where the answer was.",
            stacked=True,
        ),
        lines(
            "Entries",
            {"{{what}}": "serve_app_cache_entries"},
            COUNT,
            says="Answers in the first level (`l1`), and questions found by likeness.",
        ),
        lines(
            "First level",
            {"bytes": "serve_app_cache_bytes"},
            BYTES,
            says="Memory of the first level, of all replicas.",
        ),
        lines(
            "Compared hits",
            {"compared": "serve_app_cache_verified"},
            COUNT,
            says="Would-be hits by likeness that were compared with a fresh answer.",
        ),
    ]

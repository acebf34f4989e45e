"""What a window came to: totals, and tables of routes, errors and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from serve_app.console import counted
from serve_app.console.counted import Counted
from serve_app.console.growth import NOTHING, Growth

_MOST_ROWS: Final = 50
_FAILED: Final = frozenset({"transient", "candidate", "caller", "content", "interrupted"})
"""Outcomes of attempts that ended without a whole answer."""
_REMARKS: Final = frozenset({"hedged", "skipped"})
"""Outcomes that are none: notes beside an attempt."""
_SECONDS: Final = "serve_app_attempt_seconds"


class Known(Struct, frozen=True):
    """A model at a backend, as the settings have it."""

    backend: str
    model: str
    local: bool
    off: str = ""
    """Why it is switched off; empty: it is on."""


def totals(whole: Growth, what: Counted) -> dict[str, Any]:
    requests = whole.total(counted.REQUESTS, what.asked)
    errors = whole.total(counted.REQUESTS, what.failed)
    levels = whole.by(counted.LOOKUPS, "level", match=counted.looked_up)
    hits = sum([n for (level,), n in levels.items() if level in counted.HITS])
    return {
        "requests": requests,
        "errors": errors,
        "refused": whole.total(counted.REQUESTS, what.refused),
        "error_share": _share(errors, requests),
        "latency_s": whole.quantiles(counted.REQUEST_SECONDS, what.asked),
        "first_token_s": whole.quantiles(counted.FIRST_TOKEN),
        "cache_hit_share": _share(hits, sum(levels.values())),
        "cost_micro_usd": whole.total(counted.COST),
        "saved_micro_usd": whole.total(counted.SAVED),
        "retries": whole.total("serve_app_retries_total"),
        "findings": whole.total("serve_app_filter_findings_total"),
        "limits_refused": whole.total("serve_app_limits_refused_total"),
    }


def routes(whole: Growth, what: Counted) -> list[dict[str, Any]]:
    """The busiest first."""
    failed = whole.by(counted.REQUESTS, "route", match=what.failed)
    latency = whole.quantiles_by(counted.REQUEST_SECONDS, "route", match=what.asked)
    return [
        {
            "route": route[0],
            "requests": n,
            "errors": failed.get(route, 0),
            "p95_s": latency.get(route, NOTHING)["p95"],
        }
        for route, n in _most_first(whole.by(counted.REQUESTS, "route", match=what.asked))
    ]


def errors(whole: Growth, what: Counted) -> list[dict[str, Any]]:
    """The most frequent first."""
    counts = whole.by("serve_app_errors_total", "route", "code", match=what.asked)
    return [{"route": r, "code": code, "count": n} for (r, code), n in _most_first(counts)]


def models(whole: Growth, known: Sequence[Known]) -> list[dict[str, Any]]:
    """A row for each model, in the order of the settings."""
    attempts = whole.by("serve_app_attempts_total", "backend", "model", "outcome")
    retries = whole.by("serve_app_retries_total", "backend", "model")
    tokens = whole.by(counted.TOKENS, "backend", "model", "direction")
    costs = whole.by(counted.COST, "backend", "model")
    latency = whole.quantiles_by(_SECONDS, "backend", "model")
    rows = []
    for one in known:
        name = (one.backend, one.model)
        seconds = latency.get(name, NOTHING)
        outcomes = {of[2]: n for of, n in attempts.items() if of[:2] == name}
        rows.append(
            {
                "backend": one.backend,
                "model": one.model,
                "local": one.local,
                "attempts": sum([n for how, n in outcomes.items() if how not in _REMARKS]),
                "failed": sum([n for how, n in outcomes.items() if how in _FAILED]),
                "retries": retries.get(name, 0),
                "p50_s": seconds["p50"],
                "p95_s": seconds["p95"],
                "tokens": {
                    direction: tokens.get((*name, direction), 0)
                    for direction in ("input", "output", "cached")
                },
                "cost_micro_usd": costs.get(name, 0),
            }
        )
    return rows


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _most_first(counts: Mapping[tuple[str, ...], int]) -> list[tuple[tuple[str, ...], int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_ROWS]

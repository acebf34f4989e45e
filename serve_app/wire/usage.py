"""What `GET /v1/usage` takes and gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct, structs

from serve_app.core.limits import PERIODS, Scope, Used
from serve_app.core.money import usd
from serve_app.core.periods import until_next
from serve_app.wire.checks import whole_number
from serve_app.wire.query import read_terms

MAX_DAYS: Final = 90
_RATES: Final = {
    "requests": "requests_per_minute",
    "input": "input_tokens_per_minute",
    "output": "output_tokens_per_minute",
    "tokens": "tokens_per_minute",
}


class UsageQuery(Struct, frozen=True):
    days: int = 1
    """So many, today included."""
    tenant: str = ""
    """Empty: the caller's own figures."""


def decode_usage(query: bytes) -> UsageQuery:
    """
    Raises:
        BadRequest: names the parameter.
    """
    values = read_terms(query, ("days", "tenant"))
    days = whole_number(values.get("days", "1"), "days", MAX_DAYS)
    return UsageQuery(days, values.get("tenant", "")[:64])


def sums(some: Struct) -> dict[str, Any]:
    """Sums of the ledger for the caller: money in dollars as text, so that no digit is lost."""
    values = structs.asdict(some)
    cost, saved = values.pop("cost_micro_usd"), values.pop("saved_micro_usd")
    return {**values, "cost_usd": usd(cost), "saved_usd": usd(saved)}


def left(
    scopes: Sequence[Scope], used: Sequence[Used], now: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Limits and budgets, each with what is left.

    Args:
        now: Unix seconds.
    """
    limits: list[dict[str, Any]] = []
    budgets: list[dict[str, Any]] = []
    for scope, figures in zip(scopes, used, strict=True):
        limits += _rates(scope, figures)
        budgets += _money(scope, figures, now)
    return limits, budgets


def _rates(scope: Scope, used: Used) -> list[dict[str, Any]]:
    found = []
    for name, shown in _RATES.items():
        size, gone = getattr(scope.allowance, name), getattr(used, name)
        if size:
            reset_s = math.ceil(60 * gone / size)
            found.append(_limit(scope, shown, size, gone, reset_s=reset_s))
    if scope.allowance.parallel:
        found.append(_limit(scope, "parallel", scope.allowance.parallel, used.running))
    return found


def _limit(scope: Scope, name: str, size: int, gone: int, **more: int) -> dict[str, Any]:
    remaining = max(0, size - gone)
    return {
        "scope": scope.name, "limit": name, "size": size, "used": gone, "remaining": remaining,
        **more,
    }  # fmt: skip


def _money(scope: Scope, used: Used, now: float) -> list[dict[str, Any]]:
    found = []
    for period in PERIODS:
        size, spent = getattr(scope.allowance, period), getattr(used, period)
        if size >= 0:
            found.append(
                {
                    "scope": scope.name,
                    "period": period,
                    "budget_usd": usd(size),
                    "spent_usd": usd(spent),
                    "held_usd": usd(used.held),
                    "remaining_usd": usd(size - spent - used.held),
                    "soft_at": scope.allowance.soft / 100,
                    "resets_at": _ends(period, now),
                }
            )
    return found


def _ends(period: str, now: float) -> str | None:
    """When the period is over, UTC; None: never."""
    if period == "total":
        return None
    now_us = int(now) * 1_000_000
    end_us = now_us + until_next(period, now_us)
    return datetime.fromtimestamp(end_us // 1_000_000, UTC).isoformat()

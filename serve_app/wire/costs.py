"""What `GET /v1/costs` takes and gives."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct, structs

from serve_app.core.costs import GROUPS, CostReport, Spent
from serve_app.core.errors import BadRequest
from serve_app.core.money import usd
from serve_app.wire.checks import whole_number
from serve_app.wire.query import read_terms

MAX_GROUPS: Final = 6
MAX_ROWS: Final = 10_000
MAX_TIME: Final = 32_503_680_000
"""Unix seconds: the year 3000."""
_DAYS: Final = 7
_NAMES: Final = ("group_by", "from", "to", "tenant", "limit")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


class CostsQuery(Struct, frozen=True):
    by: tuple[str, ...]
    since: int
    """Unix seconds."""
    until: int
    tenant: str = ""
    """Empty: the caller's own figures; of an admin: every tenant's."""
    limit: int = 1000


def decode_costs(query: bytes, now: float) -> CostsQuery:
    """
    Args:
        now: Unix seconds.

    Raises:
        BadRequest: names the parameter.
    """
    values = read_terms(query, _NAMES, blank=True)
    until = _time(values, "to", int(now) + 1)
    return CostsQuery(
        by=_groups(values.get("group_by")),
        since=_time(values, "from", until - _DAYS * 86_400),
        until=until,
        tenant=values.get("tenant", "")[:64],
        limit=whole_number(values.get("limit", "1000"), "limit", MAX_ROWS),
    )


def _groups(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    named = tuple(dict.fromkeys(text.split(",")))
    if len(named) > MAX_GROUPS or not set(named) <= set(GROUPS):
        raise BadRequest(
            f"group_by is up to {MAX_GROUPS} of {', '.join(GROUPS)}, separated by commas",
            param="group_by",
        )
    return named


def _time(values: dict[str, str], name: str, default: int) -> int:
    """Unix seconds, given so or as a date."""
    text = values.get(name)
    if text is None:
        return max(0, default)
    if _DATE.fullmatch(text):
        try:
            day = datetime.fromisoformat(text).replace(tzinfo=UTC)
        except ValueError:
            raise BadRequest(f"There is no day {text}", param=name) from None
        return max(0, min(int(day.timestamp()), MAX_TIME))
    if text and not text.strip("0"):
        return 0
    return whole_number(text, name, MAX_TIME)


def shown_costs(report: CostReport, by: tuple[str, ...]) -> dict[str, Any]:
    """A report as callers see it."""
    return {
        "object": "costs",
        "from": report.since,
        "to": report.until,
        "group_by": list(by),
        "total": shown_spent(report.total),
        "data": [{**row.group, **shown_spent(row.spent)} for row in report.rows],
        "is_complete": report.is_complete,
    }


def shown_spent(spent: Spent) -> dict[str, Any]:
    """Sums, with the money in dollars as text as well."""
    return {
        **structs.asdict(spent),
        "cost_usd": usd(spent.cost_micro_usd),
        "saved_usd": usd(spent.saved_micro_usd),
    }

"""Costs as a running gateway reports them: a period and groups in, rows out."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import structs

from serve_app.accounting.whatif import Part
from serve_app.cli.chat import address
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.gateway import Gateway
from serve_app.cli.key_words import span_s
from serve_app.cli.summary import KEY_ENV
from serve_app.config.paths import ADMIN_KEY
from serve_app.core.costs import GROUPS, CostReport, CostRow, Spent

LIMIT: Final = 10_000
_HOUR_S: Final = 3600
_SUMS: Final = tuple(field.name for field in structs.fields(Spent))


def moment(text: str, now: float) -> int:
    """Unix seconds of a time before now (`7d`), or of a date (of UTC, unless it says).

    Raises:
        Failure: it is neither.
    """
    if text[:1].isdigit() and text[-1:].isalpha() and "-" not in text:
        return int(now) - span_s(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(f"{text!r} is no time; write 24h, 7d or 2026-11-01", USAGE) from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def groups(text: str) -> tuple[str, ...]:
    """Names of groups, separated by commas.

    Raises:
        Failure: one is unknown.
    """
    named = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not set(named) <= set(GROUPS):
        raise Failure(f"--by {text!r} is none of {', '.join(GROUPS)}", USAGE)
    return named


def asked(
    url: str | None,
    by: tuple[str, ...],
    since: int,
    until: int | None = None,
    *,
    tenant: str | None = None,
    limit: int = LIMIT,
) -> CostReport:
    """What the gateway says.

    Args:
        since: Unix seconds; so is `until`, without which the period ends now.

    Raises:
        Failure: it is not there, or says no.
    """
    terms: dict[str, Any] = {"from": max(0, since), "limit": limit}
    terms |= {"group_by": ",".join(by)} if by else {}
    terms |= {"to": until} if until is not None else {}
    terms |= {"tenant": tenant} if tenant else {}
    gateway = Gateway(address(url), key_env=(ADMIN_KEY, KEY_ENV))
    return _report(gateway.must("GET", f"/v1/costs?{urlencode(terms)}"))


def traffic(url: str | None, since: str, tenant: str | None) -> list[Part]:
    """Recorded traffic up to now, by all that decides what it costs.

    Raises:
        Failure: the gateway is not there or says no, or nothing is recorded.
    """
    by = ("model", "tier", "batch")
    report = asked(url, by, moment(since, time.time()), tenant=tenant)
    if not report.rows:
        raise Failure(f"Nothing was recorded since {since}")
    if not report.is_complete:
        raise Failure("There are too many models to tell apart; take a shorter time with --since")
    return [
        Part(row.group["model"], row.group["tier"], row.group["batch"] == "true", row.spent)
        for row in report.rows
    ]


def last_hours(url: str | None, hours: int, tenant: str | None) -> Spent:
    """What the last whole hours came to."""
    until = int(time.time()) // _HOUR_S * _HOUR_S
    return asked(url, (), until - hours * _HOUR_S, until, tenant=tenant).total


def _report(said: dict[str, Any]) -> CostReport:
    by = said["group_by"]
    rows = [CostRow({name: str(row[name]) for name in by}, _spent(row)) for row in said["data"]]
    return CostReport(
        said["from"], said["to"], _spent(said["total"]), rows, bool(said["is_complete"])
    )


def _spent(said: dict[str, Any]) -> Spent:
    return Spent(**{name: int(said[name]) for name in _SUMS})

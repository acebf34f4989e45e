"""`serve-app cost`: what was spent, what a workload will cost, and what the next hours will."""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import structs
from rich.console import Console

from serve_app.accounting import forecast as forecasts
from serve_app.cli import options
from serve_app.cli.cost_estimate import estimate
from serve_app.cli.cost_html import html
from serve_app.cli.cost_source import LIMIT, asked, groups, last_hours, moment
from serve_app.cli.cost_table import pictured
from serve_app.core.costs import CostReport
from serve_app.core.money import usd

cost = typer.Typer(
    name="cost",
    help="What requests cost: reports of what was recorded, estimates, forecasts.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
cost.command()(estimate)

Tenant = Annotated[
    str | None,
    typer.Option(help="Only this one's; needs an admin key. Without: all that your key may see."),
]


@cost.command()
def report(
    by: Annotated[
        str,
        typer.Option(
            help="hour, day, tenant, team, user, key, backend, model, route, tier, cache, batch; "
            "or several, separated by commas."
        ),
    ] = "day",
    since: Annotated[str, typer.Option(help="24h, 7d, or a date (UTC).")] = "7d",
    until: Annotated[str | None, typer.Option(help="The same. Default: now.")] = None,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT, help="Groups at most.")] = 1000,
    page: Annotated[
        Path | None, typer.Option("--html", help="Write a page with a picture to this file.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what was spent, by whom or on what. Whole hours count.

    \b
    Examples:
      serve-app cost report
      serve-app cost report --by model --since 24h
      serve-app cost report --by day,tenant --since 2026-11-01 --html costs.html
    """
    named, now = groups(by), time.time()
    end = None if until is None else moment(until, now)
    found = asked(url, named, moment(since, now), end, tenant=tenant, limit=limit)
    if page is not None:
        page.write_text(html(found, named), encoding="utf-8")
        print(f"Written to {page}", file=sys.stderr)
    if as_json:
        print(json.dumps(_json(found), ensure_ascii=False))
    elif as_csv:
        _print_csv(found, named)
    elif page is None:
        Console().print(pictured(found, named))
    if not found.is_complete:
        print(f"There are more than {limit} groups; see --limit", file=sys.stderr)


@cost.command()
def forecast(
    hours: Annotated[int, typer.Option(min=1, max=8760, help="To forecast, from now on.")] = 1,
    recorded: Annotated[
        int | None,
        typer.Option(min=1, max=8760, help="Whole hours before now to go by. Default: as many."),
    ] = None,
    tenant: Tenant = None,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Forecast the next hours from the last recorded ones, as if traffic went on like that.

    \b
    Examples:
      serve-app cost forecast
      serve-app cost forecast --hours 24
      serve-app cost forecast --hours 720 --recorded 168 --json
    """
    before = recorded or hours
    spent = last_hours(url, before, tenant)
    made = forecasts.forecast(spent, before, hours)
    if as_json:
        said = {"hours": hours, "recorded_hours": before, **structs.asdict(made)}
        print(json.dumps({**said, "recorded": structs.asdict(spent)}))
        return
    print(f"Last {before} h: {usd(spent.cost_micro_usd)} USD, {spent.requests:,} requests")
    print(
        f"Next {hours} h: {usd(made.cost_micro_usd)} USD "
        f"({usd(made.low_micro_usd)} to {usd(made.high_micro_usd)}), {made.requests:,} requests"
    )


def _json(found: CostReport) -> dict[str, Any]:
    rows = [{**row.group, **structs.asdict(row.spent)} for row in found.rows]
    return {
        "from": found.since, "to": found.until, "total": structs.asdict(found.total),
        "data": rows, "is_complete": found.is_complete,
    }  # fmt: skip


def _print_csv(found: CostReport, by: tuple[str, ...]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow([*by, *(field.name for field in structs.fields(type(found.total)))])
    for row in found.rows:
        out.writerow([*(_cell(row.group[name]) for name in by), *structs.astuple(row.spent)])


def _cell(name: str) -> str:
    """A name that a spreadsheet does not take for a formula; users choose theirs."""
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name

"""Costs in the terminal: a table with a bar for each group."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from rich.bar import Bar
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from serve_app.core.costs import CostReport, Spent
from serve_app.core.money import usd

_BAR: Final = 28
_COLOUR: Final = "#3b7dd8"


def pictured(report: CostReport, by: tuple[str, ...]) -> Group:
    """A line for each group, and the total."""
    table = Table(box=None, pad_edge=False)
    for name in by:
        table.add_column(name, overflow="fold")
    for name in ("requests", "from cache", "tokens", "saved USD", "cost USD"):
        table.add_column(name, justify="right")
    table.add_column("", width=_BAR)
    dearest = max((row.spent.cost_micro_usd for row in report.rows), default=0)
    for row in report.rows:
        shown = [_plain(row.group[name]) for name in by]
        bar = Bar(max(1, dearest), 0, row.spent.cost_micro_usd, width=_BAR, color=_COLOUR)
        table.add_row(*shown, *_figures(row.spent), bar)
    if report.rows:
        table.add_section()
    table.add_row(*_named("total", by), *_figures(report.total), style="bold")
    return Group(f"{period(report)}, UTC\n", table)


def period(report: CostReport) -> str:
    """From when to when."""
    return f"{_shown(report.since)} to {_shown(report.until)}"


def tokens(spent: Spent) -> int:
    """All that models read and wrote."""
    return spent.prompt_tokens + spent.completion_tokens


def _figures(spent: Spent) -> list[str]:
    return [
        f"{spent.requests:,}",
        f"{spent.cached:,}",
        f"{tokens(spent):,}",
        usd(spent.saved_micro_usd),
        usd(spent.cost_micro_usd),
    ]


def _named(name: str, by: tuple[str, ...]) -> list[str]:
    return [name, *[""] * (len(by) - 1)] if by else []


def _shown(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _plain(text: str) -> str:
    """A caller's name as harmless words of a terminal."""
    return escape("".join(c if c.isprintable() else " " for c in text)) or "-"

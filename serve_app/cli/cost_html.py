"""Costs as one HTML file: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Final

from serve_app.cli.cost_table import period, tokens
from serve_app.core.costs import CostReport, CostRow, Spent
from serve_app.core.money import usd

_WIDTH, _BAR, _GAP, _NAMES, _AMOUNTS = 900, 22, 8, 280, 110
_MOST_BARS: Final = 60
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1f24; --paper: #fff; --line: #d9dde3; --bar: #3b7dd8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --paper: #16181c; --line: #363b43; --bar: #6aa5f0; }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: var(--ink); background: var(--paper); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th.name, td.name { text-align: left; overflow-wrap: anywhere; }
tfoot td { font-weight: 600; }
svg { width: 100%; height: auto; margin: 1rem 0 2rem; } svg text { fill: var(--ink); }
svg rect { fill: var(--bar); }
"""


def html(report: CostReport, by: tuple[str, ...]) -> str:
    """The whole page."""
    what = escape(f"Costs by {', '.join(by)}" if by else "Costs")
    saved = usd(report.total.saved_micro_usd)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{what}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{what}</h1>\n"
        f"<p>{escape(period(report))}, UTC: <b>{usd(report.total.cost_micro_usd)} USD</b>, and "
        f"{saved} USD saved by the cache.</p>\n{_picture(report, by)}\n{_table(report, by)}\n"
        "</body>\n</html>\n"
    )


def _picture(report: CostReport, by: tuple[str, ...]) -> str:
    """A bar for each group."""
    rows = report.rows[:_MOST_BARS]
    if not rows:
        return ""
    height = len(rows) * (_BAR + _GAP)
    dearest = max(1, *(row.spent.cost_micro_usd for row in rows))
    room = _WIDTH - _NAMES - _AMOUNTS
    drawn = [
        _bar(at, row, by, max(1, row.spent.cost_micro_usd * room // dearest))
        for at, row in enumerate(rows)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Cost of each group" font-size="14">\n{"".join(drawn)}</svg>'
    )


def _bar(at: int, row: CostRow, by: tuple[str, ...], width: int) -> str:
    top = at * (_BAR + _GAP)
    middle = top + _BAR - 6
    name = _short(" / ".join(row.group[one] or "-" for one in by))
    amount = usd(row.spent.cost_micro_usd)
    return (
        f'<text x="{_NAMES - 10}" y="{middle}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{_NAMES}" y="{top}" width="{width}" height="{_BAR}" rx="3"/>'
        f'<text x="{_NAMES + width + 8}" y="{middle}">{amount}</text>\n'
    )


def _table(report: CostReport, by: tuple[str, ...]) -> str:
    names = "".join(f'<th class="name">{escape(name)}</th>' for name in by)
    heads = "".join(
        f"<th>{name}</th>"
        for name in ("requests", "failed", "from cache", "tokens", "saved USD", "cost USD")
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td class="name">{escape(row.group[name]) or "-"}</td>' for name in by)
        + f"{_cells(row.spent)}</tr>\n"
        for row in report.rows
    )
    total = f'<td class="name" colspan="{len(by)}">total</td>' if by else ""
    return (
        f"<table>\n<thead><tr>{names}{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n"
        f"<tfoot><tr>{total}{_cells(report.total)}</tr></tfoot>\n</table>"
    )


def _cells(spent: Spent) -> str:
    figures = (
        f"{spent.requests:,}", f"{spent.failed:,}", f"{spent.cached:,}", f"{tokens(spent):,}",
        usd(spent.saved_micro_usd), usd(spent.cost_micro_usd),
    )  # fmt: skip
    return "".join(f"<td>{figure}</td>" for figure in figures)


def _short(name: str) -> str:
    return name if len(name) <= 36 else f"{name[:35]}…"

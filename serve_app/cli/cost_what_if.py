"""Recorded traffic under other terms, beside what it did cost."""

from __future__ import annotations

import json
from fractions import Fraction

from msgspec import structs
from rich.console import Console
from rich.table import Table

from serve_app.accounting.prices import PriceList
from serve_app.accounting.whatif import Part, Terms, what_if
from serve_app.cli.failure import USAGE, Failure
from serve_app.core.money import usd


def terms_of(models: list[str], routes: list[str], hits: Fraction | None) -> dict[str, Terms]:
    """What is asked, each by itself, and all of it together.

    Raises:
        Failure: something is not of its form.
    """
    named: dict[str, Terms] = {}
    for text in models:
        old, _, new = text.rpartition("=")
        if not new:
            raise Failure(f"--model {text!r} is not MODEL or OLD=NEW", USAGE)
        named[f"model {text}"] = Terms(models={old or "*": new})
    for text in routes:
        tier, _, new = text.partition("=")
        if not tier or not new:
            raise Failure(f"--route {text!r} is not TIER=MODEL", USAGE)
        named[f"route {text}"] = Terms(routes={tier: new})
    if hits is not None:
        named[f"cache hits {float(hits):.0%}"] = Terms(cache_hits=hits)
    if len(named) > 1:
        named["all of it"] = Terms(
            models={k: v for terms in named.values() for k, v in terms.models.items()},
            routes={k: v for terms in named.values() for k, v in terms.routes.items()},
            cache_hits=hits,
        )
    return named


def show_what_ifs(
    parts: list[Part], named: dict[str, Terms], prices: PriceList, since: str, *, as_json: bool
) -> None:
    """Print what recorded traffic cost beside what it would have."""
    spent = [part.spent for part in parts]
    recorded = sum(one.cost_micro_usd for one in spent)
    tries = {"the same at these prices": Terms(), **named}
    outcomes = {name: what_if(parts, terms, prices) for name, terms in tries.items()}
    if as_json:
        said = {name: structs.asdict(outcome) for name, outcome in outcomes.items()}
        requests = sum(one.requests for one in spent)
        print(json.dumps({"recorded_micro_usd": recorded, "requests": requests, "what_if": said}))
        return
    table = Table(f"since {since}", "USD", "", box=None, pad_edge=False)
    table.columns[1].justify = table.columns[2].justify = "right"
    table.add_row("as recorded", usd(recorded), "")
    for name, outcome in outcomes.items():
        table.add_row(name, usd(outcome.cost_micro_usd), _change(recorded, outcome.cost_micro_usd))
    console = Console()
    console.print(table)
    for model in sorted({model for outcome in outcomes.values() for model in outcome.unpriced}):
        console.print(f"No price is known for {model!r}: it counts as free", markup=False)


def _change(before: int, after: int) -> str:
    return f"{(after - before) / before:+.1%}" if before else ""

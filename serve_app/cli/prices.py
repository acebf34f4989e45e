"""`serve-app prices`: what models cost, since when, and who says so; and prices of today."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serve_app.accounting.prices import OWN, Listed, PriceList
from serve_app.cli import options
from serve_app.cli.cost_estimate import known_prices
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.prices_fresh import fresh, written
from serve_app.config.paths import data_dir
from serve_app.config.policy import Price
from serve_app.core.errors import PolicyRejected

prices = typer.Typer(
    name="prices",
    help="What models cost: the list, and prices of today. A policy's own prices win over both.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

_MILLION: Final = Decimal(1_000_000)


@prices.command(name="list")
def list_prices(
    name: Annotated[str | None, typer.Argument(help="Only models with this in their name.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show prices, in USD for a million tokens, with their date and source.

    \b
    Examples:
      serve-app prices list
      serve-app prices list gpt-5 --json
    """
    found = [
        one for key, one in sorted(known_prices().listed.items()) if (name or "").lower() in key
    ]
    if not found:
        raise Failure(f"No model with {name!r} in its name has a price", USAGE)
    if as_json:
        print(json.dumps([_json(one) for one in found]))
        return
    table = Table("model", "prompt", "cached", "answer", "provider", "date", "source",
                  box=None, pad_edge=False)  # fmt: skip
    for one in found:
        updated = "" if one.updated is None else str(one.updated)
        table.add_row(one.name, *_shown(one.price), one.provider, updated, escape(one.source))
    Console().print(table)


@prices.command()
def refresh(
    models: Annotated[
        list[str] | None, typer.Argument(help="Further models, besides those of the list.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write them; without it nothing is changed.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare the list with the package genai-prices, and take its prices over with --write.

    They go to the file prices.yaml of the data folder, and count from the next `serve-app up` or
    `serve-app reload`. Update the package first: pip install -U genai-prices

    \b
    Examples:
      serve-app prices refresh
      serve-app prices refresh gpt-5.4-nano --write
    """
    known, now = known_prices(), datetime.now(UTC)
    found = fresh(known.listed, models or (), now)
    changes = _changes(known, found)
    file = data_dir(os.environ) / OWN
    if write:
        written(file, {**_own(), **found}.values())
    if as_json:
        print(json.dumps({"changes": changes, "written": str(file) if write else None}))
        return
    console = Console()
    console.print(_table(changes) if changes else "Every price that is known there is the same.")
    if write:
        console.print(f"{len(found)} prices written to {file}", markup=False, highlight=False)
    elif changes:
        console.print("Nothing was written; take them over with --write")


def _own() -> Mapping[str, Listed]:
    """Prices of the data folder, from before."""
    file = data_dir(os.environ) / OWN
    if not file.exists():
        return {}
    try:
        return PriceList.load(file).listed
    except PolicyRejected as error:
        raise Failure(str(error), USAGE) from None


def _changes(known: PriceList, found: Mapping[str, Listed]) -> list[dict[str, Any]]:
    changes = []
    for name, new in sorted(found.items()):
        old = known.listed.get(name)
        before = None if old is None else _three(old.price)
        if before != _three(new.price):
            changes.append(
                {"model": new.name, "before": before, "after": _three(new.price),
                 "source": new.source}
            )  # fmt: skip
    return changes


def _three(price: Price) -> list[int]:
    """Prompt, prompt in the provider's cache, answer."""
    cached = price.input if price.cached_input is None else price.cached_input
    return [price.input, cached, price.output]


def _table(changes: list[dict[str, Any]]) -> Table:
    table = Table("model", "prompt", "cached", "answer", "source", box=None, pad_edge=False)
    for change in changes:
        before, after = change["before"] or [None] * 3, change["after"]
        cells = [_change(old, new) for old, new in zip(before, after, strict=True)]
        table.add_row(escape(change["model"]), *cells, escape(change["source"]))
    return table


def _change(old: int | None, new: int) -> str:
    if old == new:
        return _usd(new)
    return f"[green]{_usd(new)}[/]" if old is None else f"[red]{_usd(old)}[/] [green]{_usd(new)}[/]"


def _shown(price: Price) -> list[str]:
    cached = "" if price.cached_input is None else _usd(price.cached_input)
    return [_usd(price.input), cached, _usd(price.output)]


def _usd(micro: int) -> str:
    return f"{(micro / _MILLION).normalize():f}"


def _json(one: Listed) -> dict[str, Any]:
    return {
        "model": one.name, **one.price.model_dump(), "provider": one.provider,
        "updated": None if one.updated is None else one.updated.isoformat(), "source": one.source,
    }  # fmt: skip

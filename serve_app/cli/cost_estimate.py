"""`serve-app cost estimate`: what a workload costs in a month, or recorded traffic elsewise."""

from __future__ import annotations

import json
import os
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import structs

from serve_app.accounting.estimate import Workload, monthly_cost
from serve_app.accounting.prices import OWN, Listed, PriceList
from serve_app.cli import options
from serve_app.cli.cost_source import traffic
from serve_app.cli.cost_what_if import show_what_ifs, terms_of
from serve_app.cli.failure import USAGE, Failure
from serve_app.config.paths import data_dir
from serve_app.config.policy import Price
from serve_app.config.shipped import shipped
from serve_app.core.errors import PolicyRejected
from serve_app.core.money import usd

_DAYS: Final = 30
_PER_MILLION: Final = 1000 * 1_000_000
"""From dollars for a thousand tokens to micro-dollars for a million."""


def estimate(
    requests_per_day: Annotated[int, typer.Option(min=0)] = 10_000,
    tokens: Annotated[
        int, typer.Option(min=0, help="Of a request, prompt and answer together.")
    ] = 500,
    prompt_share: Annotated[str, typer.Option(help="Of these, in the prompt.")] = "2/3",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Whose prices; of recorded traffic what would answer all of it (MODEL), or in "
            "place of another (OLD=NEW); may be given several times then."
        ),
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(help="Dollars for 1,000 tokens of prompt and answer, as 0.001/0.002."),
    ] = None,
    cache_hits: Annotated[
        str | None, typer.Option(help="Share of the requests that the cache answers, 0 to 1.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3660)] = _DAYS,
    from_records: Annotated[
        bool, typer.Option("--from-records", help="Of recorded traffic, not of a workload.")
    ] = False,
    since: Annotated[str, typer.Option(help="With --from-records: 24h, 7d, or a date.")] = "24h",
    route: Annotated[
        list[str] | None,
        typer.Option(help="With --from-records: TIER=MODEL, a tier's traffic to another model."),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(help="A price list that wins over all others.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="With --from-records: only this one's.")
    ] = None,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Work out what a month will cost; or, from recorded traffic, what it would have cost.

    \b
    Examples:
      serve-app cost estimate --tokens 500 --model gpt-3.5-turbo --cache-hits 0.3
      serve-app cost estimate --price 0.001/0.002 --tokens 800
      serve-app cost estimate --from-records --since 24h --model gpt-5-mini --cache-hits 0.5
      serve-app cost estimate --from-records --route strong=gpt-5 --model gpt-4o=gpt-5-mini
    """
    known = known_prices(prices)
    hits = None if cache_hits is None else _share(cache_hits, "--cache-hits")
    if from_records:
        terms = terms_of(model or [], route or [], hits)
        show_what_ifs(traffic(url, since, tenant), terms, known, since, as_json=as_json)
        return
    workload = Workload(
        requests_per_day,
        tokens,
        _share(prompt_share, "--prompt-share"),
        hits or Fraction(0),
    )
    _show_estimate(workload, _priced(model or [], price, known), days, as_json=as_json)


def known_prices(file: Path | None = None) -> PriceList:
    """The prices of the data folder and the shipped ones; those of a file win.

    Raises:
        Failure: a list cannot be read.
    """
    own = data_dir(os.environ) / OWN
    try:
        listed = PriceList.load(shipped("prices.yaml"), own=own).listed
        extra = PriceList.load(file).listed if file is not None else {}
    except PolicyRejected as error:
        raise Failure(str(error), USAGE) from None
    return PriceList({}, {**listed, **extra})


def _priced(models: list[str], price: str | None, known: PriceList) -> Listed:
    if price is not None:
        return Listed(models[0] if models else "these prices", _price(price), "", "--price")
    if len(models) != 1 or "=" in models[0]:
        raise Failure("Name the model with --model NAME, or its prices with --price", USAGE)
    found = known.entry(models[0])
    if found is None:
        raise Failure(
            f"No price is known for {models[0]!r}: serve-app prices list, or --price", USAGE
        )
    return found


def _price(text: str) -> Price:
    try:
        given, answered = (Decimal(part) * _PER_MILLION for part in text.split("/"))
        if not (given >= 0 and answered >= 0):
            raise ValueError(text)
    except (InvalidOperation, ValueError):
        raise Failure(
            f"--price {text!r} is not like 0.001/0.002 (USD for 1,000 tokens)", USAGE
        ) from None
    return Price(input=int(given), output=int(answered))


def _share(text: str, name: str) -> Fraction:
    try:
        share = Fraction(text)
    except (ValueError, ZeroDivisionError):
        share = Fraction(-1)
    if not 0 <= share <= 1:
        raise Failure(f"{name} {text!r} is no share from 0 to 1", USAGE)
    return share


def _show_estimate(workload: Workload, listed: Listed, days: int, *, as_json: bool) -> None:
    cost = monthly_cost(listed.price, workload, days=days)
    plain = monthly_cost(
        listed.price, structs.replace(workload, cache_hit_share=Fraction(0)), days=days
    )
    if as_json:
        said = {"cost_micro_usd": cost, "without_cache_micro_usd": plain, "days": days}
        print(json.dumps({**said, "price": _said(listed)}))
        return
    hits = workload.cache_hit_share
    print(f"{_cents(cost)} USD for {days} days")
    print(
        f"  {workload.requests_per_day:,} requests a day of {workload.tokens_per_request:,} tokens "
        f"({workload.prompt_share} of them prompt), {float(hits):.0%} of them from the cache"
    )
    print(f"  {price_line(listed)}")
    if hits:
        print(f"  without the cache: {_cents(plain)} USD")


def price_line(listed: Listed) -> str:
    """A price with its date and source."""
    price, per = listed.price, Decimal(1_000_000)
    when = "" if listed.updated is None else f", {listed.updated}"
    return (
        f"{listed.name}: {price.input / per} USD for a million tokens of prompt, "
        f"{price.output / per} of answer ({listed.source}{when})"
    )


def _said(listed: Listed) -> dict[str, object]:
    when = None if listed.updated is None else listed.updated.isoformat()
    return {
        "model": listed.name, "source": listed.source, "updated": when,
        "input_micro_usd_per_million": listed.price.input,
        "output_micro_usd_per_million": listed.price.output,
    }  # fmt: skip


def _cents(micro: int) -> str:
    """Dollars, with cents at least."""
    whole = usd(micro)
    return whole[:-4] + whole[-4:].rstrip("0")

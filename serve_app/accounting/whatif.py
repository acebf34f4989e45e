"""What recorded traffic would cost under other terms: models, prices, routes, a fuller cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import floor

from msgspec import Struct

from serve_app.accounting.prices import PriceList
from serve_app.config.policy import Price
from serve_app.core.costs import Spent

_MILLION = 1_000_000


class Part(Struct, frozen=True):
    """Traffic that has the same price."""

    model: str
    tier: str
    is_batch: bool
    spent: Spent


class Terms(Struct, frozen=True):
    """What is different. Without any of it: the same traffic at the prices of the list."""

    models: Mapping[str, str] = {}
    """Which model answers in the place of which; `*` is every other."""
    routes: Mapping[str, str] = {}
    """Which model answers what was planned for a tier."""
    cache_hits: Fraction | None = None
    """Share of the requests that the cache answers; None: as it was."""

    def model_of(self, part: Part) -> str:
        if part.tier and part.tier in self.routes:
            return self.routes[part.tier]
        return self.models.get(part.model) or self.models.get("*") or part.model


class Outcome(Struct, frozen=True):
    cost_micro_usd: int
    unpriced: tuple[str, ...] = ()
    """Models without a price; what they answered costs nothing here."""


def what_if(parts: Iterable[Part], terms: Terms, prices: PriceList) -> Outcome:
    """What traffic would cost; exact until it is rounded, once."""
    total, unpriced = Fraction(0), set()
    for part in parts:
        model = terms.model_of(part)
        price = prices.price(model)
        if price is None:
            unpriced.add(model)
        else:
            total += _cost(part, price, terms.cache_hits)
    return Outcome(floor(total / _MILLION + Fraction(1, 2)), tuple(sorted(unpriced)))


def _cost(part: Part, price: Price, cache_hits: Fraction | None) -> Fraction:
    """In millionths of micro-USD. Requests that the cache answered are thought to be as long as
    they were when a model did."""
    spent = part.spent
    cached = min(spent.provider_cached_tokens, spent.prompt_tokens)
    cached_price = price.input if price.cached_input is None else price.cached_input
    asked = (
        (spent.prompt_tokens - cached) * price.input
        + cached * cached_price
        + spent.completion_tokens * price.output
    )
    if cache_hits is None:
        cost = Fraction(asked)
    else:
        served = (
            spent.cached_prompt_tokens * price.input + spent.cached_completion_tokens * price.output
        )
        cost = (asked + served) * (1 - cache_hits)
    return cost * price.batch_percent / 100 if part.is_batch else cost

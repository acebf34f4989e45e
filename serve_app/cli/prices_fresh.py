"""Prices of today, out of the package genai-prices, in the form of our own lists."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final

import yaml

from serve_app.accounting.prices import Listed
from serve_app.cli.failure import Failure
from serve_app.config.policy import Price

_THEIRS: Final = {
    "anthropic": "anthropic", "cerebras": "cerebras", "deepseek": "deepseek",
    "fireworks": "fireworks", "google": "google", "groq": "groq", "minimax": "minimax",
    "mistral": "mistral", "moonshot": "moonshotai", "openai": "openai",
    "openrouter": "openrouter", "perplexity": "perplexity", "together": "together", "xai": "x-ai",
    "zhipu": "zai",
}  # fmt: skip
"""What the package calls our providers; it does not know the others."""
_HEAD: Final = "# Written by `serve-app prices refresh`; wins over the shipped prices.\n"


def fresh(known: Mapping[str, Listed], more: Iterable[str], now: datetime) -> dict[str, Listed]:
    """Prices of the models that are known, and of others, by name in lower case; those that the
    package does not have are left out.

    Raises:
        Failure: the package is not installed.
    """
    snapshot, version = _package()
    found: dict[str, Listed] = {}
    for name, listed in known.items():
        if (theirs := _THEIRS.get(listed.provider)) is not None:
            one = _looked_up(snapshot, listed.name, theirs, listed.provider, version, now)
            found |= {} if one is None else {name: one}
    for name in more:
        one = _looked_up(snapshot, name, None, "", version, now)
        if one is None:
            raise Failure(f"genai-prices {version} has no price of {name!r}")
        found[name.lower()] = one
    return found


def written(file: Path, listed: Iterable[Listed]) -> None:
    """Write a price list that `PriceList.load` reads; whole, or not at all."""
    providers: dict[str, Any] = {}
    for one in sorted(listed, key=lambda one: (one.provider, one.name)):
        provider = providers.setdefault(
            one.provider or "other", {"updated": one.updated, "source": one.source, "models": {}}
        )
        provider["models"][one.name] = one.price.model_dump(exclude_defaults=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    text = yaml.safe_dump({"providers": providers}, sort_keys=False, allow_unicode=True)
    draft.write_text(_HEAD + text, encoding="utf-8")
    draft.replace(file)


def _package() -> tuple[Any, str]:
    try:
        module = importlib.import_module("genai_prices.data_snapshot")
    except ImportError:
        raise Failure(
            "Fresh prices come from the package genai-prices: pip install 'serve-app[prices]'"
        ) from None
    return module.get_snapshot(), importlib.metadata.version("genai-prices")


def _looked_up(
    snapshot: Any, name: str, theirs: str | None, provider: str, version: str, now: datetime
) -> Listed | None:
    try:
        maker, model = snapshot.find_provider_model(name, None, theirs, None)
        prices = model.get_prices(now)
    except (LookupError, ValueError):
        return None
    price = _price(prices)
    if price is None:
        return None
    page = (maker.pricing_urls or [""])[0]
    source = f"{page} (genai-prices {version})".strip()
    return Listed(name, price, provider or str(maker.id), source, now.astimezone(UTC).date())


def _price(prices: Any) -> Price | None:
    """Of short prompts, where it rises with their length."""
    given, answered = _micro(prices.input_mtok), _micro(prices.output_mtok)
    if given is None:
        return None
    cached = _micro(prices.cache_read_mtok)
    return Price(input=given, output=answered or 0, cached_input=cached)


def _micro(price: Any) -> int | None:
    """Micro-dollars for a million tokens."""
    if price is None:
        return None
    base = Decimal(getattr(price, "base", price))
    return int((base * 1_000_000).to_integral_value(ROUND_HALF_UP))

from pathlib import Path

import pytest

from serve_app.accounting.prices import PriceList
from serve_app.config.policy import Price
from serve_app.config.shipped import shipped
from serve_app.core.errors import PolicyRejected

MINI = Price(input=150_000, output=600_000, cached_input=75_000)


@pytest.fixture
def prices() -> PriceList:
    return PriceList.load(shipped("prices.yaml"))


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-mini",
        "GPT-4o-mini",
        "gpt-4o-mini-2024-07-18",
        "gpt-4o-mini-latest",
        "openai/gpt-4o-mini",
        "openai/gpt-4o-mini-2024-07-18",
    ],
)
def test_a_model_is_known_by_its_other_names(prices: PriceList, name: str) -> None:
    assert prices.price(name) == MINI


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("gemini-2.5-pro-preview-06-05", "gemini-2.5-pro"),
        ("gpt-3.5-turbo-1106", "gpt-3.5-turbo"),
        ("GLM-4.7", "glm-4.7"),
    ],
)
def test_vendors_date_their_models_in_many_ways(
    prices: PriceList, name: str, known_as: str
) -> None:
    assert prices.price(name) == prices.price(known_as) is not None


@pytest.mark.parametrize("name", ["gpt-4o-mini-audio", "gpt-4o-min", "gpt", "", "-2024-07-18"])
def test_a_name_that_only_resembles_one_is_unknown(prices: PriceList, name: str) -> None:
    assert prices.price(name) is None


def test_a_local_model_costs_nothing(prices: PriceList) -> None:
    assert prices.price("smollm2-135m-instruct") == Price(input=0, output=0)


def test_own_prices_win() -> None:
    own = Price(input=1, output=2)
    prices = PriceList.load(shipped("prices.yaml"), {"GPT-4o": own, "ours": own})
    assert prices.price("gpt-4o-2024-08-06") == own
    assert prices.price("ours") == own
    assert prices.price("gpt-4o-mini") == MINI


def test_a_snapshot_can_have_a_price_of_its_own() -> None:
    special = Price(input=5, output=5)
    prices = PriceList.load(shipped("prices.yaml"), {"gpt-4o-2024-05-13": special})
    assert prices.price("gpt-4o-2024-05-13") == special
    assert prices.price("gpt-4o-2024-08-06") != special


def listed(*models: str) -> str:
    """A list with one provider for each model."""
    return "providers:\n" + "".join(
        f"  p{i}: {{updated: 2026-01-01, source: s, models: {{{model}}}}}\n"
        for i, model in enumerate(models)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (listed("m: {input: -1, output: 0}"), "greater than or equal to 0"),
        (listed("m: {input: 0.5, output: 0}"), "valid integer"),
        (listed("m: {input: 1, output: 1}", "M: {input: 2, output: 2}"), "'M' has a price already"),
        ("[", "not a price list"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_list_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "prices.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(PolicyRejected, match=message):
        PriceList.load(file)


def test_a_list_of_ones_own_wins_and_loses_to_the_policy(tmp_path: Path) -> None:
    own = tmp_path / "prices.yaml"
    own.write_text(listed("gpt-4o: {input: 1, output: 1}", "new: {input: 2, output: 2}"))
    chosen = Price(input=3, output=3)
    prices = PriceList.load(shipped("prices.yaml"), {"new": chosen}, own)
    assert prices.price("gpt-4o") == Price(input=1, output=1)
    assert prices.price("new") == chosen
    assert prices.price("gpt-4o-mini") == MINI
    assert PriceList.load(shipped("prices.yaml"), own=tmp_path / "none").price("new") is None


def test_every_price_says_since_when_and_from_where() -> None:
    for one in PriceList.load(shipped("prices.yaml")).listed.values():
        assert one.updated is not None
        assert one.source.startswith("https://") or one.provider == "local"

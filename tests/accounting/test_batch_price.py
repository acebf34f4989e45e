"""What work of batch priority costs, and what is reserved for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serve_app.accounting.meter import cost_micro_usd
from serve_app.config.policy import Policy, Price
from serve_app.core.types import Usage
from serve_app.routing.quotes import Quote

HALF = Price(input=1_000_000, output=3_000_000, batch_percent=50)


def test_half_the_price_is_half_the_cost() -> None:
    usage = Usage.of(1000, 200)
    assert cost_micro_usd(HALF, usage) == 1600
    assert cost_micro_usd(HALF, usage, is_batch=True) == 800


def test_without_a_tier_a_batch_costs_what_all_costs() -> None:
    price = Price(input=1_000_000, output=3_000_000)
    usage = Usage.of(10, 7)
    assert cost_micro_usd(price, usage, is_batch=True) == cost_micro_usd(price, usage) == 31


def test_it_is_rounded_once_and_half_up() -> None:
    assert cost_micro_usd(HALF, Usage.of(1, 0), is_batch=True) == 1
    assert cost_micro_usd(HALF, Usage.of(2, 0), is_batch=True) == 1
    assert (
        cost_micro_usd(Price(input=1, output=1, batch_percent=0), Usage.of(9, 9), is_batch=True)
        == 0
    )


@given(
    st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**8), st.integers(0, 10**8),
    st.integers(0, 100),
)  # fmt: skip
def test_what_is_reserved_is_never_less_than_the_cost(
    input_price: int, output_price: int, prompt: int, answer: int, percent: int
) -> None:
    price = Price(input=input_price, output=output_price, batch_percent=percent)
    quote = Quote(
        "m", price.input, price.output,
        batch_input=price.input * percent, batch_output=price.output * percent,
    )  # fmt: skip
    cost = cost_micro_usd(price, Usage.of(prompt, answer), is_batch=True)
    assert cost <= quote.batch_cost(prompt, answer) <= quote.cost(prompt, answer) + 1


@pytest.mark.parametrize("percent", [-1, 101, 0.5])
def test_a_share_is_a_whole_number_of_percents(percent: float) -> None:
    prices = {"m": {"input": 1, "output": 1, "batch_percent": percent}}
    with pytest.raises(ValidationError):
        Policy.model_validate({"prices": prices})

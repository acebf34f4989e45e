from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.accounting.meter import cost_micro_usd, count_usage
from serve_app.config.policy import Price
from serve_app.core.types import Usage

MINI = Price(input=150_000, output=600_000, cached_input=75_000)


def usage(prompt: int, completion: int, cached: object = None) -> Usage:
    details = None if cached is None else {"cached_tokens": cached}
    return Usage(prompt, completion, prompt + completion, prompt_tokens_details=details)


def test_a_million_tokens_cost_their_price() -> None:
    assert cost_micro_usd(MINI, usage(1_000_000, 1_000_000)) == 750_000


def test_the_formula_of_gpt_3_5() -> None:
    price = Price(input=1_000_000, output=2_000_000)
    assert cost_micro_usd(price, usage(1000, 1000)) == 3_000


def test_cached_prompt_tokens_are_cheaper() -> None:
    assert cost_micro_usd(MINI, usage(1_000_000, 0, cached=400_000)) == 90_000 + 30_000


def test_without_a_price_of_their_own_cached_tokens_cost_as_others() -> None:
    price = Price(input=100, output=0)
    assert cost_micro_usd(price, usage(10**6, 0, cached=10**6)) == 100


def test_free_cached_tokens_are_free() -> None:
    price = Price(input=100, output=0, cached_input=0)
    assert cost_micro_usd(price, usage(10**6, 0, cached=10**6)) == 0


@pytest.mark.parametrize("cached", [-5, "many", None, 1.5])
def test_nonsense_about_cached_tokens_is_ignored(cached: object) -> None:
    assert cost_micro_usd(MINI, usage(1_000_000, 0, cached)) == 150_000


def test_never_more_cached_tokens_than_there_are() -> None:
    assert cost_micro_usd(MINI, usage(1_000_000, 0, cached=9_000_000)) == 75_000


@pytest.mark.parametrize(("tokens", "cost"), [(0, 0), (4, 0), (5, 1), (14, 1), (15, 2)])
def test_half_a_micro_usd_rounds_up(tokens: int, cost: int) -> None:
    assert cost_micro_usd(Price(input=100_000, output=0), usage(tokens, 0)) == cost


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_it_is_exact(prompt: int, completion: int, price: int) -> None:
    cost = cost_micro_usd(Price(input=price, output=2 * price), usage(prompt, completion))
    exact = Fraction(price * prompt + 2 * price * completion, 10**6)
    assert abs(cost - exact) <= Fraction(1, 2)


def test_usage_is_counted_where_none_was_given() -> None:
    counted = count_usage(["four", "letters"], len("answer"), len)
    assert counted == Usage(4 + 4 + 7 + 4, 6, 25)

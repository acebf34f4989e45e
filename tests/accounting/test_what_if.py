"""Recorded traffic under other terms, beside the same done request by request."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from serve_app.accounting.meter import cost_micro_usd
from serve_app.accounting.prices import PriceList
from serve_app.accounting.whatif import Outcome, Part, Terms, what_if
from serve_app.config.policy import Price
from serve_app.core.costs import Spent
from serve_app.core.types import Usage

LIST = PriceList(
    {
        "a": Price(input=1_000_000, output=2_000_000, cached_input=100_000),
        "b": Price(input=300_000, output=7, batch_percent=50),
    }
)

usages = st.builds(
    lambda prompt, completion, cached: Usage(
        prompt, completion, 0, {"cached_tokens": min(cached, prompt)}
    ),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)


def spent(usage: Usage) -> Spent:
    cached = (usage.prompt_tokens_details or {})["cached_tokens"]
    return Spent(
        requests=1,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        provider_cached_tokens=cached,
    )


@given(st.lists(st.tuples(st.sampled_from("ab"), usages, st.booleans()), max_size=20))
def test_the_same_terms_cost_what_the_meter_says(
    requests: list[tuple[str, Usage, bool]],
) -> None:
    parts = [Part(model, "", is_batch, spent(usage)) for model, usage, is_batch in requests]
    metered = sum(
        cost_micro_usd(LIST.price(model) or Price(input=0, output=0), usage, is_batch=is_batch)
        for model, usage, is_batch in requests
    )
    found = what_if(parts, Terms(), LIST).cost_micro_usd
    assert abs(found - metered) <= len(requests)  # each is rounded there, here the sum


PROMPTS = Spent(requests=1, prompt_tokens=1_000_000)
ONE = Part("a", "strong", False, PROMPTS)


def test_another_model_a_route_and_both() -> None:
    assert what_if([ONE], Terms(models={"*": "b"}), LIST) == Outcome(300_000)
    assert what_if([ONE], Terms(models={"x": "b"}), LIST) == Outcome(1_000_000)
    assert what_if([ONE], Terms(routes={"strong": "b"}), LIST) == Outcome(300_000)
    assert what_if(
        [ONE], Terms(models={"a": "a"}, routes={"strong": "b"}), LIST
    ).cost_micro_usd == (300_000)


def test_a_fuller_cache_answers_what_it_answered_too() -> None:
    hit = Part("a", "", False, Spent(requests=1, cached=1, cached_prompt_tokens=1_000_000))
    assert what_if([ONE, hit], Terms(), LIST).cost_micro_usd == 1_000_000
    for share, cost in ((Fraction(0), 2_000_000), (Fraction(3, 4), 500_000), (Fraction(1), 0)):
        assert what_if([ONE, hit], Terms(cache_hits=share), LIST).cost_micro_usd == cost


def test_models_without_a_price_are_named() -> None:
    assert what_if([ONE], Terms(models={"*": "nobody"}), LIST) == Outcome(0, ("nobody",))

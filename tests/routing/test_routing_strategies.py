from __future__ import annotations

import pytest
from routing.plans import EASY, HARD, MIDDLING, Desk, hosted, model, query, reasons, refs, tiered

from serve_app.config.policy import Price, RoutingPolicy
from serve_app.core.vital import Reading

PRICES = {
    "mini": (400, 1600),
    "middle": (300, 1200, 100),
    "big": (2000, 8000),
}
"""The default tier is cheaper than the cheap one here."""

MEASURED = {
    "alpha/mini": Reading(first_token_p50_s=0.9, tokens_per_s=50.0, samples=50),
    "beta/mini": Reading(first_token_p50_s=0.4, tokens_per_s=80.0, samples=50),
    "beta/middle": Reading(first_token_p50_s=0.5, tokens_per_s=20.0, samples=50),
    "alpha/big": Reading(first_token_p50_s=2.0, tokens_per_s=400.0, samples=50),
    "house/small": Reading(first_token_p50_s=0.1, tokens_per_s=500.0, samples=50),
}


def cheapest(**changes: object) -> Desk:
    return Desk(tiered(strategy="cheapest", **changes), prices=PRICES)


def fastest(**changes: object) -> Desk:
    return Desk(tiered(strategy="fastest", **changes), readings=MEASURED)


# ------------------------------------------------------------ cheapest


async def test_cheapest_takes_a_stronger_model_where_that_costs_less() -> None:
    plan = await cheapest().plan(query(prompt_tokens=300, max_output_tokens=100))
    assert (plan.tier, plan.strategy) == ("cheap", "cheapest")
    assert refs(plan) == ["beta/middle", "alpha/mini", "beta/mini", "alpha/big", "house/small"]
    assert reasons(plan)["beta/middle"] == (
        "default tier: stronger than the needed cheap; cheapest: about 0.21 micro-USD"
    )


async def test_cheapest_never_puts_a_weaker_model_before_one_that_is_good_enough() -> None:
    assert await cheapest().refs(query(text=HARD)) == [
        "alpha/big",
        "beta/middle",
        "alpha/mini",
        "beta/mini",
        "house/small",
    ]
    plan = await cheapest().plan(query(text=MIDDLING))
    assert refs(plan)[:2] == ["beta/middle", "alpha/big"]
    assert "cheap tier: fallback for default" in reasons(plan)["alpha/mini"]


async def test_the_expected_cost_is_that_of_prompt_and_a_common_answer() -> None:
    desk = Desk(prices={"mini": (2_000_000, 10_000_000)})
    plan = await desk.plan(query("alpha/mini", prompt_tokens=1000, max_output_tokens=100))
    assert plan.candidates[0].cost_micro_usd == 2 * 1000 + 10 * 100
    plan = await desk.plan(query("alpha/mini", prompt_tokens=1000, max_output_tokens=5000))
    assert plan.candidates[0].cost_micro_usd == 2 * 1000 + 10 * 400


async def test_a_prompt_in_the_cache_is_paid_at_the_price_of_cached_tokens() -> None:
    desk = Desk(prices={"middle": (3_000_000, 0, 1_000_000)})
    ask = query("beta/middle", prompt_tokens=1000, conversation="c", warm="beta/middle")
    assert (await desk.plan(ask)).candidates[0].cost_micro_usd == 1000
    ask = query("beta/middle", prompt_tokens=1000, conversation="c")
    assert (await desk.plan(ask)).candidates[0].cost_micro_usd == 3000


async def test_models_without_a_price_come_after_those_with_one() -> None:
    desk = Desk(tiered(strategy="cheapest"), prices={"big": (90_000_000, 90_000_000)})
    plan = await desk.plan(query())
    assert refs(plan)[:4] == ["alpha/big", "alpha/mini", "beta/mini", "beta/middle"]
    assert plan.candidates[1].cost_micro_usd is None
    assert plan.candidates[1].reason.endswith("cheapest: price not known")


async def test_a_local_model_that_is_listed_in_a_tier_costs_nothing_there() -> None:
    policy = tiered(strategy="cheapest", cheap=["alpha/mini", "house/small"], local=[])
    plan = await Desk(policy, prices=PRICES).plan(query())
    assert refs(plan)[0] == "house/small"
    assert plan.candidates[0].cost_micro_usd == 0
    assert plan.candidates[0].reason.endswith("cheapest: local, costs nothing")


# ------------------------------------------------------------- fastest


async def test_fastest_counts_the_first_token_and_the_answer_after_it() -> None:
    short = await fastest().plan(query(max_output_tokens=10))
    assert refs(short) == ["beta/mini", "beta/middle", "alpha/mini", "alpha/big", "house/small"]
    long = await fastest().plan(query(max_output_tokens=400))
    assert refs(long) == ["alpha/big", "beta/mini", "alpha/mini", "beta/middle", "house/small"]
    assert reasons(long)["alpha/big"] == (
        "strong tier: stronger than the needed cheap; "
        "fastest: about 3.00 s (first token 2.00 s, 400 tokens/s)"
    )
    assert long.candidates[0].first_token_s == 2.0


async def test_fastest_keeps_to_what_is_good_enough() -> None:
    assert (await fastest().refs(query(text=HARD, max_output_tokens=1)))[0] == "alpha/big"


async def test_a_model_that_was_never_measured_is_taken_for_fast_so_that_it_is_tried() -> None:
    desk = fastest()
    desk.chart.write("alpha/mini", Reading())
    plan = await desk.plan(query(max_output_tokens=10))
    assert refs(plan)[0] == "alpha/mini"
    assert "not measured yet" in plan.candidates[0].reason
    assert plan.candidates[0].first_token_s is None


# ---------------------------------------------------------------- best


async def test_best_asks_the_strongest_tier_first_whatever_is_needed() -> None:
    plan = await Desk(tiered(strategy="best")).plan(query(text=EASY))
    assert (plan.tier, plan.strategy) == ("cheap", "best")
    assert refs(plan) == ["alpha/big", "beta/middle", "alpha/mini", "beta/mini", "house/small"]
    assert plan.candidates[0].reason == (
        "strong tier: stronger than the needed cheap; strongest tier first"
    )


# ------------------------------------------------------- names and ties


@pytest.mark.parametrize("strategy", ["cheapest", "fastest", "best"])
async def test_who_asks_for_a_tier_gets_that_tier_first(strategy: str) -> None:
    desk = Desk(tiered(strategy=strategy), readings=MEASURED, prices=PRICES)
    plan = await desk.plan(query("cheap", max_output_tokens=400))
    assert set(refs(plan)[:2]) == {"alpha/mini", "beta/mini"}
    assert "default tier: fallback for cheap" in reasons(plan)["beta/middle"]


async def test_the_strategy_orders_the_backends_of_one_model() -> None:
    plan = await fastest().plan(query("mini", max_output_tokens=10))
    assert refs(plan) == ["beta/mini", "alpha/mini"]
    assert plan.candidates[0].reason.startswith("asked for as 'mini'; fastest: about 0.5")


@pytest.mark.parametrize("strategy", ["listed", "cheapest", "fastest", "best"])
async def test_equal_models_come_in_the_order_of_the_configuration(strategy: str) -> None:
    backends = [hosted(name, model("m")) for name in ("c", "a", "b")]
    desk = Desk(RoutingPolicy(strategy=strategy), backends, prices={"m": (1, 1)})  # type: ignore[arg-type]
    assert await desk.refs(query()) == ["c/m", "a/m", "b/m"]
    assert await desk.refs(query("m")) == ["c/m", "a/m", "b/m"]


async def test_candidates_say_whether_they_go_on_from_a_prefix() -> None:
    backends = [hosted("a", model("x", 8000, "prefix")), hosted("b", model("y"))]
    plan = await Desk(RoutingPolicy(), backends).plan(query())
    assert [candidate.prefix for candidate in plan.candidates] == [True, False]


async def test_new_prices_count_from_the_next_policy_on() -> None:
    desk = Desk(prices={"mini": (1_000_000, 0)})
    assert (await desk.plan(query("mini"))).candidates[0].cost_micro_usd == 20
    desk.prices["mini"] = Price(input=2_000_000, output=0)
    desk.stage.reconfigure(tiered())
    assert (await desk.plan(query("mini"))).candidates[0].cost_micro_usd == 40

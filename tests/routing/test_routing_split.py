from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from routing.plans import Desk, hosted, model, query, reasons, refs, tiered

from serve_app.core.vital import Headroom, Reading
from serve_app.routing.lot import lot, weighted_lot

ARMS = {"alpha/mini": 70, "beta/mini": 20, "beta/middle": 10}
SPLIT = {"models": ["cheap", "beta/middle"], "strategy": "weighted", "weights": ARMS}
RESTING = Reading(is_open=True, open_for_s=5.0)


def desk(route: Any = SPLIT, **known: Any) -> Desk:
    return Desk(tiered(routes={"test": route}), **known)


async def seed_of(arm: str) -> str:
    """A seed that falls into an arm."""
    for number in range(1000):
        if (await desk().plan(query("test", seed=str(number)))).arm == arm:
            return str(number)
    raise AssertionError(f"no seed falls into {arm}")


# ----------------------------------------------------------------- weighted


async def test_requests_fall_into_arms_as_their_weights_say() -> None:
    plans = await desk().stage.plan([query("test", seed=str(n)) for n in range(3000)])
    arms = Counter(plan.arm for plan in plans)
    for arm, weight in ARMS.items():
        assert abs(arms[arm] / 3000 - weight / 100) < 0.03
    for plan in plans:
        assert refs(plan)[0] == plan.arm


async def test_the_other_arms_follow_by_weight() -> None:
    plan = await desk().plan(query("test", seed=await seed_of("beta/mini")))
    assert (plan.strategy, plan.tier, plan.arm) == ("weighted", "", "beta/mini")
    assert refs(plan) == ["beta/mini", "alpha/mini", "beta/middle"]
    assert [c.reason for c in plan.candidates] == [
        "route 'test'; weighted: 20 of 100; the arm drawn",
        "route 'test'; weighted: 70 of 100",
        "route 'test'; weighted: 10 of 100",
    ]


async def test_a_conversation_stays_in_its_arm_whoever_answered_it_last() -> None:
    seed = await seed_of("beta/mini")
    ask = query("test", seed=seed, conversation="talk", warm="alpha/mini")
    assert (await desk().refs(ask))[0] == "beta/mini"


async def test_without_a_seed_the_conversation_is_one() -> None:
    seed = await seed_of("beta/middle")
    plan = await desk().plan(query("test", conversation=seed))
    assert plan.arm == "beta/middle"


@pytest.mark.parametrize(
    "reading", [RESTING, Reading(headroom=Headroom(requests_left=0, resets_in_s=1.0))]
)
async def test_an_arm_that_is_not_well_is_still_the_arm(reading: Reading) -> None:
    plan = await desk(readings={"beta/mini": reading}).plan(
        query("test", seed=await seed_of("beta/mini"))
    )
    assert plan.arm == "beta/mini"
    assert refs(plan) == ["alpha/mini", "beta/middle", "beta/mini"]


async def test_an_arm_keeps_its_share_though_calls_fail() -> None:
    failing = {"beta/mini": Reading(error_rate=0.8, samples=50)}
    plan = await desk(readings=failing).plan(query("test", seed=await seed_of("beta/mini")))
    assert refs(plan)[0] == "beta/mini"


async def test_an_arm_that_cannot_take_a_request_leaves_the_lots_of_the_others_alone() -> None:
    plans = await desk().stage.plan([query("test", seed=str(n)) for n in range(200)])
    with_tools = await desk().stage.plan(
        [query("test", seed=str(n), needs=("tools",)) for n in range(200)]
    )
    for plan, other in zip(plans, with_tools, strict=True):
        assert "beta/mini" not in refs(other)
        if plan.arm != "beta/mini":
            assert other.arm == plan.arm


async def test_a_weight_of_nothing_is_only_a_fallback() -> None:
    route = {**SPLIT, "weights": {"alpha/mini": 1, "beta/mini": 0}}
    plans = await desk(route).stage.plan([query("test", seed=str(n)) for n in range(50)])
    assert {tuple(refs(plan)) for plan in plans} == {("alpha/mini", "beta/mini", "beta/middle")}


async def test_without_fallback_the_arm_stands_alone() -> None:
    stage = desk({**SPLIT, "fallback": False})
    plan = await stage.plan(query("test", seed=await seed_of("beta/mini")))
    assert refs(plan) == ["beta/mini"]
    assert reasons(plan)["alpha/mini"] == "the route has no fallback"


async def test_without_fallback_an_arm_that_is_away_is_503() -> None:
    stage = desk({**SPLIT, "fallback": False}, readings={"beta/mini": Reading(away="gone")})
    plan = await stage.plan(query("test", seed=await seed_of("beta/mini")))
    assert plan.problem is not None
    assert (plan.problem.status, plan.arm) == (503, "beta/mini")
    assert "backend 'beta': gone" in plan.problem.message


# ------------------------------------------------------------- other routes


async def test_a_route_is_a_name_of_its_own() -> None:
    stage = desk({"models": ["beta/middle", "cheap"]})
    plan = await stage.plan(query("test"))
    assert refs(plan) == ["beta/middle", "alpha/mini", "beta/mini"]
    assert plan.candidates[0].reason == "route 'test'; as listed"
    assert "test" in [name.id for name in stage.stage.names()]


async def test_an_alias_may_name_a_route() -> None:
    policy = tiered(routes={"test": {"models": ["beta/middle"]}}, aliases={"other": "test"})
    assert await Desk(policy).refs(query("other")) == ["beta/middle"]


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        ("cheapest", ["beta/middle", "alpha/mini", "alpha/big"]),
        ("fastest", ["alpha/mini", "alpha/big", "beta/middle"]),
        ("best", ["alpha/big", "beta/middle", "alpha/mini"]),
    ],
)
async def test_a_route_has_a_strategy_of_its_own(strategy: str, order: list[str]) -> None:
    route = {"models": ["alpha/mini", "alpha/big", "beta/middle"], "strategy": strategy}
    prices = {"mini": (2, 2), "big": (3, 3), "middle": (1, 1)}
    times = {"beta/middle": Reading(first_token_p50_s=9.0)}
    plan = await desk(route, prices=prices, readings=times).plan(query("test"))
    assert refs(plan) == order
    assert plan.strategy == strategy


async def test_a_route_without_fallback_has_one_candidate() -> None:
    resting = {"alpha/mini": RESTING}
    plan = await desk({"models": ["cheap"], "fallback": False}, readings=resting).plan(
        query("test")
    )
    assert refs(plan) == ["beta/mini"]
    assert reasons(plan)["alpha/mini"] == "the route has no fallback"


# --------------------------------------------------------------------- lots


def test_a_lot_depends_on_nothing_but_its_texts() -> None:
    assert lot("seed", "a/m") == 2505182948861536992
    assert lot("seed", "a/m") != lot("seed", "b/m") != lot("tree", "b/m")


def test_any_text_has_a_lot() -> None:
    assert 0 <= lot("\ud800 \x00 é", "") < 2**64


def test_nothing_is_drawn_where_nothing_weighs() -> None:
    assert weighted_lot("seed", {"a": 0.0}) == weighted_lot("seed", {}) == ""


def test_a_weight_that_grows_only_draws_towards_itself() -> None:
    for number in range(300):
        before = weighted_lot(str(number), {"a": 1.0, "b": 1.0, "c": 1.0})
        after = weighted_lot(str(number), {"a": 1.0, "b": 3.0, "c": 1.0})
        assert after in (before, "b")


async def test_a_split_between_backends_of_one_model_needs_no_tiers() -> None:
    backends = [hosted("a", model("m")), hosted("b", model("m"))]
    route = {"models": ["a/m", "b/m"], "strategy": "weighted", "weights": {"b/m": 1}}
    policy = tiered(routes={"ab": route}, cheap=[], default=[], strong=[], local=[], aliases={})
    assert await Desk(policy, backends).refs(query("ab", seed="x")) == ["b/m", "a/m"]

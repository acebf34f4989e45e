from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from routing.plans import HARD, MIDDLING, Desk, hosted, model, query, reasons, refs, tiered

from serve_app.config.policy import RoutingPolicy
from serve_app.core.plan import PlanQuery
from serve_app.core.vital import Headroom, Reading

RESTING = Reading(is_open=True, open_for_s=5.0)
TALK = "0123456789abcdef"
FOUR = [hosted(name, model("m")) for name in ("a", "b", "c", "d")]
EQUAL = RoutingPolicy(strategy="cheapest")
PRICES = {"m": (1_000_000, 2_000_000)}


def in_talk(warm: str = "", talk: str = TALK, **changes: Any) -> PlanQuery:
    return query(conversation=talk, warm=warm, **changes)


# ------------------------------------------------------- who answered last


async def test_a_conversation_stays_with_the_model_that_answered_it() -> None:
    plan = await Desk().plan(in_talk("beta/mini"))
    assert refs(plan)[:3] == ["beta/mini", "alpha/mini", "beta/middle"]
    assert plan.candidates[0].reason.endswith("as listed; answered this conversation last")
    assert "answered" not in plan.candidates[1].reason


async def test_it_does_not_where_the_policy_says_so() -> None:
    assert (await Desk(tiered(sticky=False)).refs(in_talk("beta/mini")))[0] == "alpha/mini"


async def test_a_model_that_is_not_good_enough_any_more_is_left() -> None:
    assert (await Desk().refs(in_talk("beta/mini", text=HARD)))[0] == "alpha/big"


async def test_a_model_that_cannot_take_the_request_is_left() -> None:
    plan = await Desk().plan(in_talk("beta/mini", needs=("tools",)))
    assert refs(plan)[0] == "alpha/mini"
    assert "tools" in reasons(plan)["beta/mini"]


async def test_the_dearer_one_keeps_a_conversation_that_it_began() -> None:
    desk = Desk(tiered(strategy="cheapest"), prices={"mini": (1, 1), "middle": (5, 5)})
    assert (await desk.refs(in_talk("beta/middle")))[0] == "beta/middle"
    assert (await desk.refs(query()))[0] == "alpha/mini"


@pytest.mark.parametrize(
    "reading",
    [
        RESTING,
        Reading(away="gone"),
        Reading(headroom=Headroom(requests_left=0, resets_in_s=3.0)),
        Reading(error_rate=0.6, samples=30),
    ],
)
async def test_a_model_that_is_not_well_is_left(reading: Reading) -> None:
    desk = Desk(readings={"beta/mini": reading})
    assert (await desk.refs(in_talk("beta/mini")))[0] == "alpha/mini"


async def test_a_pinned_model_keeps_its_conversation_at_one_backend() -> None:
    assert await Desk().refs(in_talk("beta/mini", model="mini")) == ["beta/mini", "alpha/mini"]


# -------------------------------------------------------- another replica


async def test_replicas_that_know_nothing_of_a_conversation_choose_the_same_backend() -> None:
    for number in range(20):
        ask = in_talk(talk=f"talk {number}")
        one, other = Desk(EQUAL, FOUR, prices=PRICES), Desk(EQUAL, FOUR, prices=PRICES)
        assert await one.refs(ask) == await other.refs(ask)


async def test_conversations_spread_over_backends_that_are_equal() -> None:
    desk = Desk(EQUAL, FOUR, prices=PRICES)
    plans = await desk.stage.plan([in_talk(talk=f"talk {number}") for number in range(400)])
    firsts = Counter(refs(plan)[0] for plan in plans)
    assert sorted(firsts) == ["a/m", "b/m", "c/m", "d/m"]
    assert min(firsts.values()) > 60
    assert plans[0].candidates[0].reason.endswith("drawn for this conversation among 4 as good")


async def test_only_the_conversations_of_a_backend_that_fails_move() -> None:
    asks = [in_talk(talk=f"talk {number}") for number in range(200)]
    well = await Desk(EQUAL, FOUR, prices=PRICES).stage.plan(asks)
    ill = await Desk(EQUAL, FOUR, {"b/m": RESTING}, PRICES).stage.plan(asks)
    for before, after in zip(well, ill, strict=True):
        expected = [ref for ref in refs(before) if ref != "b/m"]
        assert refs(after) == [*expected, "b/m"]


async def test_times_that_are_nearly_equal_count_as_equal() -> None:
    policy = RoutingPolicy(strategy="fastest")

    def measured(*first_token_s: float) -> dict[str, Reading]:
        refs = ("a/m", "b/m", "c/m", "d/m")
        return {
            ref: Reading(first_token_p50_s=s, tokens_per_s=50.0)
            for ref, s in zip(refs, first_token_s, strict=True)
        }

    here = Desk(policy, FOUR, measured(0.50, 0.55, 0.60, 2.0))
    there = Desk(policy, FOUR, measured(0.58, 0.52, 0.51, 2.1))
    for number in range(50):
        ask = in_talk(talk=f"talk {number}")
        assert (await here.refs(ask))[0] == (await there.refs(ask))[0] != "d/m"
        assert (await here.refs(query()))[0] == "a/m"


async def test_unknown_prices_are_not_taken_for_equal() -> None:
    for number in range(20):
        assert (await Desk(EQUAL, FOUR).refs(in_talk(talk=f"talk {number}")))[0] == "a/m"


async def test_conversations_go_to_the_first_that_is_listed() -> None:
    for number in range(20):
        assert (await Desk(RoutingPolicy(), FOUR).refs(in_talk(talk=str(number))))[0] == "a/m"


# -------------------------------------------------------------- tool loops


async def test_what_tools_send_back_does_not_change_the_tier() -> None:
    began = await Desk().plan(in_talk(prompt_tokens=300, opening_tokens=300))
    went_on = await Desk().plan(in_talk(prompt_tokens=900, opening_tokens=300))
    assert began.tier == went_on.tier == "cheap"
    assert (await Desk().plan(query(prompt_tokens=900, opening_tokens=300))).tier == "default"


async def test_what_tools_send_back_does_not_turn_the_order_of_costs_over() -> None:
    backends = [hosted("a", model("x", 90_000)), hosted("b", model("y", 90_000))]
    prices = {"x": (1_000_000, 4_000_000), "y": (1_200_000, 2_000_000)}
    desk = Desk(EQUAL, backends, prices=prices)
    asks = [
        in_talk(prompt_tokens=tokens, opening_tokens=500, max_output_tokens=400, text=MIDDLING)
        for tokens in (500, 8000)
    ]
    began, went_on = await desk.stage.plan(asks)
    assert refs(began) == refs(went_on) == ["b/y", "a/x"]
    assert went_on.candidates[0].cost_micro_usd == 8000 * 1.2 + 400 * 2


async def test_a_loop_moves_when_it_outgrows_its_model() -> None:
    plan = await Desk().plan(in_talk("alpha/mini", prompt_tokens=9000, opening_tokens=100))
    assert refs(plan)[0] == "beta/mini"
    assert "context of 8000" in reasons(plan)["alpha/mini"]

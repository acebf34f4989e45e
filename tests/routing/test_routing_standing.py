from __future__ import annotations

import pytest
from routing.plans import Backends, Desk, hosted, local, model, query, reasons, refs

from serve_app.config.policy import RoutingPolicy
from serve_app.core.clock import FakeClock
from serve_app.core.vital import Headroom, Reading
from serve_app.routing.router import RouterStage
from serve_app.routing.standing import FRESH_S
from serve_app.vitals.book import Vitals

FIRST = "alpha/mini"
REST = ["beta/mini", "beta/middle", "alpha/big", "house/small"]
RESTING = Reading(is_open=True, open_for_s=2.4)


def with_first(reading: Reading) -> Desk:
    return Desk(readings={FIRST: reading})


async def test_who_is_away_is_left_out_with_the_reason() -> None:
    plan = await with_first(Reading(away="the model is not up")).plan(query())
    assert refs(plan) == REST
    assert reasons(plan)[FIRST] == "the model is not up"


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (RESTING, "resting: failed too often, next try in 3 s"),
        (
            Reading(headroom=Headroom(requests_left=0, resets_in_s=7.0)),
            "its rate limit allows no request for 7 s",
        ),
        (
            Reading(headroom=Headroom(tokens_left=119, resets_in_s=7.0)),
            "its rate limit allows 119 tokens for 7 s, request needs about 120",
        ),
    ],
)
async def test_who_is_not_well_comes_after_everybody_who_is(reading: Reading, why: str) -> None:
    plan = await with_first(reading).plan(query(max_output_tokens=100))
    assert refs(plan) == [*REST, FIRST]
    assert plan.candidates[-1].reason.endswith(f"; moved back: {why}")
    assert plan.excluded == []


@pytest.mark.parametrize(
    "reading",
    [
        Reading(headroom=Headroom(requests_left=0, resets_in_s=0.0)),
        Reading(headroom=Headroom(requests_left=1, tokens_left=120, resets_in_s=9.0)),
        Reading(headroom=Headroom(resets_in_s=9.0)),
        Reading(error_rate=0.9, samples=9),
        Reading(error_rate=0.24, samples=500),
        Reading(running=10_000),
    ],
)
async def test_what_is_no_sign_of_trouble_moves_nothing(reading: Reading) -> None:
    plan = await with_first(reading).plan(query(max_output_tokens=100))
    assert refs(plan) == [FIRST, *REST]
    assert "moved back" not in plan.candidates[0].reason


async def test_a_rested_breaker_keeps_its_place_so_that_a_request_can_probe_it() -> None:
    plan = await with_first(Reading(is_open=True, error_rate=1.0, samples=50)).plan(query())
    assert refs(plan) == [FIRST, *REST]
    assert "may be tried again" in plan.candidates[0].reason
    assert "moved back" not in plan.candidates[0].reason


async def test_who_fails_often_comes_after_its_equals_but_before_other_tiers() -> None:
    plan = await with_first(Reading(error_rate=0.5, samples=20)).plan(query())
    assert refs(plan) == ["beta/mini", FIRST, *REST[1:]]
    assert plan.candidates[1].reason.endswith("; 50% of its last calls failed")


async def test_a_local_model_with_a_full_queue_comes_last() -> None:
    backends: Backends = [local("house", model("m"), running=4), hosted("cloud", model("m"))]
    policy = RoutingPolicy(local_use="first")
    desk = Desk(policy, backends, {"house/m": Reading(running=100)})
    desk.chart.run("house/m", 3)
    assert await desk.refs(query("m")) == ["house/m", "cloud/m"]
    desk.chart.run("house/m", 4)
    desk.clock.advance(FRESH_S)
    plan = await desk.plan(query("m"))
    assert refs(plan) == ["cloud/m", "house/m"]
    assert plan.candidates[1].reason.endswith("moved back: it has no turn free (4 calls under way)")


async def test_a_used_up_limit_is_better_than_a_resting_backend() -> None:
    full = Reading(headroom=Headroom(requests_left=0, resets_in_s=60.0))
    desk = Desk(readings={FIRST: RESTING, "beta/mini": full, "house/small": RESTING})
    assert await desk.refs(query()) == [
        "beta/middle",
        "alpha/big",
        "beta/mini",
        FIRST,
        "house/small",
    ]


async def test_nobody_is_left_out_for_not_being_well() -> None:
    desk = Desk(readings=dict.fromkeys([FIRST, *REST], RESTING))
    assert await desk.refs(query()) == [FIRST, *REST]


async def test_nothing_there_is_503_and_says_why() -> None:
    gone = Reading(away="the model is not up")
    refused = await Desk(readings={"house/small": gone}).problem(query("local"))
    assert (refused.status, refused.code) == (503, "no_backend")
    assert "backend 'house': the model is not up" in refused.message


async def test_what_nobody_could_do_anyway_is_the_callers_fault_though_somebody_is_away() -> None:
    gone = Reading(away="the model is not up")
    refused = await Desk(readings={"house/small": gone}).problem(query("local", needs=("n",)))
    assert (refused.status, refused.code) == (400, "capability_unsupported")


async def test_vitals_are_read_again_after_a_moment() -> None:
    desk = with_first(Reading())
    assert (await desk.refs(query()))[0] == FIRST
    desk.chart.write(FIRST, RESTING)
    assert (await desk.refs(query()))[0] == FIRST
    desk.clock.advance(FRESH_S)
    assert (await desk.refs(query()))[-1] == FIRST


async def test_real_vitals_move_a_backend_back_and_let_it_return() -> None:
    clock = FakeClock()
    vitals = Vitals(clock)
    backends = [hosted("a", model("m")), hosted("b", model("m"))]
    stage = RouterStage(backends, RoutingPolicy(), {}, vitals, lambda _: None, clock=clock)
    breaker = vitals.of("a", "m").breaker
    breaker.rest(30.0)
    [plan] = await stage.plan([query()])
    assert refs(plan) == ["b/m", "a/m"]
    clock.advance(40.0)
    [plan] = await stage.plan([query()])
    assert refs(plan) == ["a/m", "b/m"]
    breaker.succeeded()
    vitals.of("b", "m").away = "its key was refused"
    clock.advance(1.0)
    [plan] = await stage.plan([query()])
    assert refs(plan) == ["a/m"]
    assert reasons(plan)["b/m"] == "its key was refused"

from __future__ import annotations

import pytest
from routing.plans import (
    HARD,
    MIDDLING,
    TIERED,
    Desk,
    hosted,
    model,
    query,
    refs,
)

from serve_app.config.policy import RoutingPolicy
from serve_app.core.errors import PolicyRejected

# ------------------------------------------------------------- tiers


async def test_a_short_easy_request_goes_to_the_cheap_tier_first_and_local_last() -> None:
    plan = await Desk().plan(query())
    assert plan.tier == "cheap"
    assert refs(plan) == ["alpha/mini", "beta/mini", "beta/middle", "alpha/big", "house/small"]


async def test_a_request_that_needs_reasoning_goes_to_the_strong_tier_first() -> None:
    plan = await Desk().plan(query(text=HARD))
    assert plan.tier == "strong"
    assert refs(plan) == ["alpha/big", "beta/middle", "alpha/mini", "beta/mini", "house/small"]
    assert plan.need >= 0.55
    assert plan.signals["proof"] > 0


async def test_the_rest_goes_to_the_default_tier_first() -> None:
    plan = await Desk().plan(query(text=MIDDLING))
    assert plan.tier == "default"
    assert refs(plan) == ["beta/middle", "alpha/big", "alpha/mini", "beta/mini", "house/small"]


async def test_an_easy_but_long_request_is_not_for_the_cheap_tier() -> None:
    plan = await Desk().plan(query(prompt_tokens=401))
    assert plan.tier == "default"
    assert "401 tokens" in plan.candidates[0].reason


async def test_every_candidate_says_why_it_is_there() -> None:
    plan = await Desk().plan(query(text=HARD))
    first, second, *_, last = plan.candidates
    assert first.reason.startswith("strong tier: need 0.")
    assert second.reason == "default tier: fallback for strong; as listed"
    assert last.reason == "local tier: fallback for strong; as listed"
    assert last.context == 2048


async def test_thresholds_are_the_policys() -> None:
    policy = TIERED.model_copy(update={"strong_need": 0.05, "cheap_need": 0.0})
    assert (await Desk(policy).plan(query(text=MIDDLING))).tier == "strong"


async def test_a_model_in_two_tiers_is_tried_once() -> None:
    policy = RoutingPolicy(cheap=["alpha/mini"], default=["alpha/mini", "alpha/big"])
    assert refs(await Desk(policy).plan(query())) == ["alpha/mini", "alpha/big"]


async def test_an_empty_first_tier_is_passed_over() -> None:
    plan = await Desk(RoutingPolicy(default=["beta/middle"])).plan(query(text=HARD))
    assert refs(plan) == ["beta/middle"]


async def test_without_tiers_hosted_models_are_default_and_local_ones_last() -> None:
    plan = await Desk(RoutingPolicy()).plan(query())
    assert refs(plan) == ["alpha/mini", "alpha/big", "beta/mini", "beta/middle", "house/small"]


# ------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["cheap", "fast"])
async def test_a_tier_or_its_alias_has_fallbacks(name: str) -> None:
    plan = await Desk().plan(query(name, HARD))
    assert refs(plan)[0] == "alpha/mini"
    assert refs(plan)[-1] == "house/small"
    assert plan.candidates[0].reason == f"cheap tier: asked for as {name!r}; as listed"


async def test_an_alias_of_auto_looks_at_the_request() -> None:
    assert (await Desk().plan(query("any", HARD))).tier == "strong"


async def test_a_named_model_gets_only_its_own_backend() -> None:
    assert refs(await Desk().plan(query("beta/mini"))) == ["beta/mini"]
    plan = await Desk().plan(query("gpt"))
    assert refs(plan) == ["alpha/big"]
    assert plan.candidates[0].reason == "asked for as 'gpt'; as listed"
    assert plan.tier == ""


async def test_a_bare_model_gets_all_backends_that_serve_it() -> None:
    assert refs(await Desk().plan(query("mini"))) == ["alpha/mini", "beta/mini"]


async def test_local_does_not_leave_the_house() -> None:
    assert refs(await Desk().plan(query("local"))) == ["house/small"]


async def test_names_are_what_a_request_may_ask_for() -> None:
    stage = Desk().stage
    names = [name.id for name in stage.names()]
    assert names[:4] == ["auto", "fast", "gpt", "any"]
    assert {"cheap", "default", "strong", "local", "mini", "alpha/mini", "small"} <= set(names)
    for plan in await stage.plan([query(name) for name in names]):
        assert plan.candidates


# ---------------------------------------------------------- exclusions


async def test_a_backend_that_is_off_is_left_out_and_says_how_to_turn_it_on() -> None:
    backends = [hosted("alpha", model("mini"), key="ALPHA_KEY"), hosted("beta", model("mini"))]
    plan = await Desk(RoutingPolicy(), backends).plan(query("mini"))
    assert refs(plan) == ["beta/mini"]
    assert [(e.backend, e.model) for e in plan.excluded] == [("alpha", "mini")]
    assert "ALPHA_KEY" in plan.excluded[0].reason


async def test_a_context_that_is_too_small_is_left_out_with_the_numbers() -> None:
    plan = await Desk().plan(query(prompt_tokens=7000, max_output_tokens=2000))
    assert refs(plan) == ["beta/middle", "alpha/big", "beta/mini"]
    reasons = {e.backend: e.reason for e in plan.excluded}
    assert "8000" in reasons["alpha"]
    assert "9000" in reasons["alpha"]


async def test_a_prompt_that_fits_exactly_fits() -> None:
    plan = await Desk().plan(query("alpha/mini", prompt_tokens=7000, max_output_tokens=1000))
    assert refs(plan) == ["alpha/mini"]


async def test_a_conversation_that_may_be_shortened_fits_anywhere() -> None:
    plan = await Desk().plan(query("local", prompt_tokens=90_000, may_shorten=True))
    assert refs(plan) == ["house/small"]


async def test_a_missing_capability_is_named() -> None:
    plan = await Desk().plan(query(needs=("vision",)))
    assert refs(plan) == ["alpha/big"]
    assert all("cannot do vision" in e.reason for e in plan.excluded)


async def test_an_answer_longer_than_a_model_gives_leaves_it_out() -> None:
    backends = [hosted("alpha", model("a", most=100)), hosted("beta", model("b"))]
    plan = await Desk(RoutingPolicy(), backends).plan(query(max_output_tokens=500))
    assert refs(plan) == ["beta/b"]
    assert "100" in plan.excluded[0].reason


# ------------------------------------------------------------ refusals


async def test_an_unknown_model_is_404_with_the_names() -> None:
    refused = await Desk().problem(query("nothing"))
    assert (refused.status, refused.code, refused.param) == (404, "model_not_found", "model")
    assert "auto" in refused.message
    assert "alpha/mini" in refused.message


async def test_the_list_of_names_is_bounded() -> None:
    backends = [hosted("alpha", *(model(f"m{i}") for i in range(500)))]
    refused = await Desk(RoutingPolicy(), backends).problem(query("x" * 100_000))
    assert len(refused.message) < 1000
    assert "more" in refused.message


async def test_a_capability_that_nobody_has_is_400() -> None:
    refused = await Desk().problem(query(needs=("json_schema", "tools")))
    assert (refused.status, refused.code) == (400, "capability_unsupported")
    assert "json_schema" in refused.message
    assert "tools" not in refused.message


async def test_capabilities_that_nobody_has_together_are_400() -> None:
    backends = [hosted("a", model("x", 9000, "tools")), hosted("b", model("y", 9000, "vision"))]
    refused = await Desk(RoutingPolicy(), backends).problem(query(needs=("tools", "vision")))
    assert "tools, vision together" in refused.message


async def test_a_prompt_too_long_for_all_is_400_with_the_numbers() -> None:
    refused = await Desk().problem(query(prompt_tokens=200_000, max_output_tokens=5))
    assert (refused.status, refused.code) == (400, "context_length_exceeded")
    assert refused.param == "messages"
    assert "100000" in refused.message
    assert "200005" in refused.message


async def test_too_long_for_those_that_have_the_capability_is_about_length() -> None:
    backends = [hosted("a", model("x", 1000, "tools")), hosted("b", model("y", 9000))]
    desk = Desk(RoutingPolicy(), backends)
    refused = await desk.problem(query(needs=("tools",), prompt_tokens=5000))
    assert refused.code == "context_length_exceeded"
    assert "1000" in refused.message


async def test_an_answer_longer_than_all_give_is_400() -> None:
    backends = [hosted("alpha", model("a", most=100))]
    refused = await Desk(RoutingPolicy(), backends).problem(query(max_output_tokens=500))
    assert (refused.status, refused.param) == (400, "max_tokens")
    assert "100" in refused.message


async def test_nothing_on_is_503_and_names_the_variables() -> None:
    backends = [
        hosted("alpha", model("a"), key="ALPHA_KEY"),
        hosted("beta", model("b"), key="BETA_KEY"),
    ]
    refused = await Desk(RoutingPolicy(), backends).problem(query())
    assert (refused.status, refused.code) == (503, "no_backend")
    assert "ALPHA_KEY" in refused.message
    assert "BETA_KEY" in refused.message


async def test_a_tier_without_models_is_503() -> None:
    refused = await Desk(RoutingPolicy(cheap=["alpha/mini"])).problem(query("local"))
    assert refused.status == 503
    assert "'local'" in refused.message


async def test_one_refusal_in_a_batch_leaves_the_others_alone() -> None:
    bad, good = await Desk().stage.plan([query("nothing"), query()])
    assert bad.problem is not None
    assert good.problem is None


# -------------------------------------------------------------- policy


async def test_a_refused_policy_changes_nothing() -> None:
    desk = Desk()
    with pytest.raises(PolicyRejected):
        desk.stage.reconfigure(RoutingPolicy(cheap=["beta/mini"], strong=["none"]))
    assert (await desk.refs(query()))[0] == "alpha/mini"


async def test_a_new_policy_counts_from_the_next_plan_on() -> None:
    desk = Desk()
    desk.stage.reconfigure(RoutingPolicy(strong=["beta/mini"]))
    assert await desk.refs(query()) == ["beta/mini"]

from __future__ import annotations

from typing import Any

import pytest
from routing.plans import Backends, Desk, hosted, local, model, query, reasons, refs, vectors

from serve_app.config.policy import RoutingPolicy
from serve_app.core.plan import PlanQuery
from serve_app.core.vital import Reading

BACKENDS: Backends = [
    hosted("off", vectors("large"), key="OFF_KEY"),
    hosted("alpha", model("mini"), vectors("small")),
    hosted("beta", vectors("large"), vectors("small", 16_000)),
    local("house", vectors("small", 512)),
]


def ask(model: str = "auto", **changes: Any) -> PlanQuery:
    return query(model, endpoint="embeddings", **changes)


def desk(**policy: Any) -> Desk:
    return Desk(RoutingPolicy(**policy), BACKENDS)


async def test_auto_takes_the_first_model_that_is_on_at_all_its_backends() -> None:
    plan = await desk().plan(ask())
    assert refs(plan) == ["alpha/small", "beta/small", "house/small"]
    assert plan.tier == "embedding"
    assert reasons(plan)["off/large"] == "environment variable OFF_KEY is not set"
    assert reasons(plan)["beta/large"] == "its vectors do not compare with those of 'small'"


async def test_only_backends_with_the_same_model_stand_in() -> None:
    plan = await desk(embedding=["beta/small", "alpha/small", "beta/large"]).plan(ask())
    assert refs(plan) == ["beta/small", "alpha/small"]
    assert plan.candidates[0].reason == "first embedding model that is on: 'small'; as listed"


async def test_the_model_does_not_change_with_the_request_or_with_who_is_there() -> None:
    stage = desk(embedding=["alpha/small", "beta/large"])
    refused = await stage.problem(ask(prompt_tokens=8001))
    assert (refused.code, refused.param) == ("context_length_exceeded", "input")
    stage = Desk(
        RoutingPolicy(embedding=["alpha/small", "beta/large"]),
        BACKENDS,
        {"alpha/small": Reading(away="gone")},
    )
    refused = await stage.problem(ask())
    assert (refused.status, refused.code) == (503, "no_backend")


async def test_a_model_by_name_has_all_its_backends() -> None:
    plan = await desk().plan(ask("small", prompt_tokens=1000))
    assert refs(plan) == ["alpha/small", "beta/small"]
    assert "context of 512" in reasons(plan)["house/small"]


@pytest.mark.parametrize("name", ["mini", "default", "alpha/mini"])
async def test_a_chat_model_cannot_do_embeddings(name: str) -> None:
    refused = await desk().problem(ask(name))
    assert (refused.status, refused.code) == (400, "capability_unsupported")
    assert refused.message == f"No model available for {name!r} can do embeddings."


async def test_a_model_for_embeddings_cannot_chat() -> None:
    refused = await desk().problem(query("small"))
    assert (refused.status, refused.code) == (400, "capability_unsupported")
    assert refused.message == "No model available for 'small' can do chat."


async def test_chat_never_meets_a_model_for_embeddings() -> None:
    plan = await desk().plan(query())
    assert refs(plan) == ["alpha/mini"]
    assert plan.excluded == []


async def test_without_any_model_for_it_auto_says_so() -> None:
    stage = Desk(RoutingPolicy(), [hosted("alpha", model("mini"))])
    refused = await stage.problem(ask())
    assert (refused.status, refused.code) == (400, "capability_unsupported")
    assert refused.message == "No model available can do embeddings."


async def test_models_for_embeddings_are_among_the_names() -> None:
    names = [name.id for name in desk().stage.names()]
    assert {"small", "large", "alpha/small", "mini"} <= set(names)
    assert "off/large" not in names


async def test_a_route_may_hold_backends_of_one_embedding_model() -> None:
    routes = {"mine": {"models": ["beta/small", "alpha/small"]}}
    assert await desk(routes=routes).refs(ask("mine")) == ["beta/small", "alpha/small"]


async def test_a_text_has_no_answer_to_pay_for() -> None:
    stage = Desk(RoutingPolicy(), BACKENDS, prices={"small": (1_000_000, 9_000_000)})
    plan = await stage.plan(ask("alpha/small", prompt_tokens=100, max_output_tokens=512))
    assert plan.candidates[0].cost_micro_usd == 100

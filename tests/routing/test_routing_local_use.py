from __future__ import annotations

import pytest
from routing.plans import HARD, Backends, Desk, hosted, local, model, query, reasons, refs, tiered

from serve_app.config.policy import RoutingPolicy

SHARED: Backends = [local("house", model("mini")), hosted("cloud", model("mini"))]


async def test_first_puts_local_models_before_the_hosted_ones() -> None:
    plan = await Desk(tiered(local_use="first")).plan(query(text=HARD))
    assert refs(plan)[:2] == ["house/small", "alpha/big"]
    assert plan.candidates[0].reason.startswith("local model: before the hosted ones by policy")
    assert plan.tier == "strong"


async def test_only_leaves_hosted_models_out_whatever_was_asked() -> None:
    desk = Desk(tiered(local_use="only"))
    plan = await desk.plan(query(text=HARD))
    assert refs(plan) == ["house/small"]
    assert "routing.local_use" in reasons(plan)["alpha/big"]
    for name in ("alpha/big", "gpt", "mini"):
        refused = await desk.problem(query(name))
        assert (refused.status, refused.code) == (400, "model_not_allowed")
        assert repr(name) in refused.message


async def test_only_does_not_name_what_it_does_not_allow() -> None:
    names = [name.id for name in Desk(tiered(local_use="only", aliases={})).stage.names()]
    assert "small" in names
    assert not {"mini", "big", "alpha/mini", "middle"} & set(names)


@pytest.mark.parametrize(
    ("use", "order"),
    [
        ("fallback", ["cloud/mini", "house/mini"]),
        ("first", ["house/mini", "cloud/mini"]),
        ("only", ["house/mini"]),
    ],
)
async def test_it_holds_among_the_backends_of_one_model(use: str, order: list[str]) -> None:
    desk = Desk(RoutingPolicy(local_use=use), SHARED)  # type: ignore[arg-type]
    assert await desk.refs(query("mini")) == order


async def test_a_local_model_listed_in_another_tier_stays_there() -> None:
    policy = RoutingPolicy(cheap=["house/small", "alpha/mini"])
    assert await Desk(policy).refs(query("cheap")) == ["house/small", "alpha/mini"]


async def test_a_server_of_ones_own_counts_as_local_if_its_tier_says_so() -> None:
    policy = RoutingPolicy(default=["alpha/big"], local=["beta/mini"], local_use="only")
    assert await Desk(policy).refs(query()) == ["beta/mini"]

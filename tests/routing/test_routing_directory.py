from __future__ import annotations

import pytest

from serve_app.config.backend_settings import HostedBackend, ModelSettings
from serve_app.config.policy import RoutePolicy, RoutingPolicy
from serve_app.core.errors import PolicyRejected
from serve_app.routing.catalog import Catalog, ModelName
from serve_app.routing.directory import Directory

ALPHA = HostedBackend(
    name="alpha",
    base_url="http://alpha/v1",
    models=[
        ModelSettings(id="mini", context=8000),
        ModelSettings(id="big", context=8000),
        ModelSettings(id="vec", context=8000, kind="embedding"),
        ModelSettings(id="vec2", context=8000, kind="embedding"),
    ],
)
CATALOG = Catalog([ALPHA], {})


def route_of(*models: str, **fields: object) -> dict[str, RoutePolicy]:
    return {"r": RoutePolicy.model_validate({"models": models, **fields})}


def split(*models: str, **weights: float) -> dict[str, RoutePolicy]:
    named = {f"alpha/{name}": weight for name, weight in weights.items()}
    return route_of(*models, strategy="weighted", weights=named)


@pytest.mark.parametrize(
    ("policy", "where"),
    [
        (RoutingPolicy(cheap=["alpha/none"]), "routing.cheap[0]"),
        (RoutingPolicy(strong=["alpha/big", "mini"]), "routing.strong[1]"),
        (RoutingPolicy(aliases={"x": "mini"}), "routing.aliases.x"),
        (RoutingPolicy(aliases={"x": "y", "y": "auto"}), "routing.aliases.x"),
        (RoutingPolicy(aliases={"auto": "cheap"}), "routing.aliases.auto"),
        (RoutingPolicy(aliases={" ": "cheap"}), "routing.aliases"),
        (RoutingPolicy(default=["alpha/vec"]), "routing.default"),
        (RoutingPolicy(embedding=["alpha/mini"]), "routing.embedding"),
        (RoutingPolicy(embedding=["alpha/none"]), "routing.embedding[0]"),
        (RoutingPolicy(routes=route_of("alpha/big", "mini")), "routing.routes.r.models[1]"),
        (RoutingPolicy(routes=route_of("alpha/big", "alpha/vec")), "routing.routes.r"),
        (RoutingPolicy(routes=route_of("alpha/vec", "alpha/vec2")), "routing.routes.r"),
        (RoutingPolicy(routes=split("alpha/big", mini=1)), "routing.routes.r.weights"),
        (
            RoutingPolicy(routes={"auto": route_of("alpha/big")["r"]}),
            "routing.routes.auto",
        ),
        (
            RoutingPolicy(routes=route_of("alpha/big"), aliases={"r": "auto"}),
            "routing.aliases.r",
        ),
    ],
)
def test_a_policy_that_names_what_there_is_not_is_refused(
    policy: RoutingPolicy, where: str
) -> None:
    with pytest.raises(PolicyRejected) as refused:
        Directory(CATALOG, policy)
    assert where in str(refused.value)


@pytest.mark.parametrize(
    "policy", [RoutingPolicy(cheap=["none"]), RoutingPolicy(aliases={"x": "none"})]
)
def test_a_refused_policy_says_what_there_is(policy: RoutingPolicy) -> None:
    with pytest.raises(PolicyRejected, match="alpha/mini, alpha/big, alpha/vec"):
        Directory(CATALOG, policy)


def test_only_tiers_in_use_are_among_the_names() -> None:
    policy = RoutingPolicy(cheap=["alpha/mini"], aliases={"small": "cheap"})
    assert Directory(CATALOG, policy).names() == [
        ModelName("auto", "serve-app"),
        ModelName("small", "serve-app"),
        ModelName("cheap", "serve-app"),
        ModelName("mini", "alpha"),
        ModelName("big", "alpha"),
        ModelName("vec", "alpha"),
        ModelName("vec2", "alpha"),
    ]


def test_an_alias_may_stand_in_for_a_model() -> None:
    route = Directory(CATALOG, RoutingPolicy(aliases={"mini": "alpha/big"})).route("mini")
    assert route is not None
    assert [step.model.ref for step in route.steps] == ["alpha/big"]


def test_an_alias_may_stand_in_for_a_tier() -> None:
    directory = Directory(CATALOG, RoutingPolicy(aliases={"default": "auto"}))
    assert directory.route("default") is None is directory.route("auto")


def test_a_route_may_stand_in_for_a_tier_and_be_made_of_it() -> None:
    policy = RoutingPolicy(
        cheap=["alpha/mini"], routes={"cheap": route_of("alpha/big", "cheap")["r"]}
    )
    route = Directory(CATALOG, policy).route("cheap")
    assert route is not None
    assert [step.model.ref for step in route.steps] == ["alpha/big", "alpha/mini"]


def test_a_model_in_a_route_twice_counts_once() -> None:
    policy = RoutingPolicy(cheap=["alpha/mini"], routes=route_of("alpha/mini", "cheap"))
    route = Directory(CATALOG, policy).route("r")
    assert route is not None
    assert [step.model.ref for step in route.steps] == ["alpha/mini"]

from __future__ import annotations

import pytest

from serve_app.config.policy import RoutingPolicy
from serve_app.config.structure import HostedBackend, ModelSettings
from serve_app.core.errors import PolicyRejected
from serve_app.routing.catalog import Catalog, ModelName
from serve_app.routing.directory import Directory

ALPHA = HostedBackend(
    name="alpha",
    base_url="http://alpha/v1",
    models=[ModelSettings(id="mini", context=8000), ModelSettings(id="big", context=8000)],
)
CATALOG = Catalog([ALPHA], {})


@pytest.mark.parametrize(
    ("policy", "where"),
    [
        (RoutingPolicy(cheap=["alpha/none"]), "routing.cheap[0]"),
        (RoutingPolicy(strong=["alpha/big", "mini"]), "routing.strong[1]"),
        (RoutingPolicy(aliases={"x": "mini"}), "routing.aliases.x"),
        (RoutingPolicy(aliases={"x": "y", "y": "auto"}), "routing.aliases.x"),
        (RoutingPolicy(aliases={"auto": "cheap"}), "routing.aliases.auto"),
        (RoutingPolicy(aliases={" ": "cheap"}), "routing.aliases"),
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
    with pytest.raises(PolicyRejected, match="alpha/mini, alpha/big"):
        Directory(CATALOG, policy)


def test_only_tiers_in_use_are_among_the_names() -> None:
    policy = RoutingPolicy(cheap=["alpha/mini"], aliases={"small": "cheap"})
    assert Directory(CATALOG, policy).names() == [
        ModelName("auto", "serve-app"),
        ModelName("small", "serve-app"),
        ModelName("cheap", "serve-app"),
        ModelName("mini", "alpha"),
        ModelName("big", "alpha"),
    ]


def test_an_alias_may_stand_in_for_a_model() -> None:
    route = Directory(CATALOG, RoutingPolicy(aliases={"mini": "alpha/big"})).route("mini")
    assert route is not None
    assert [step.model.ref for step in route.steps] == ["alpha/big"]


def test_an_alias_may_stand_in_for_a_tier() -> None:
    directory = Directory(CATALOG, RoutingPolicy(aliases={"default": "auto"}))
    assert directory.route("default") is None is directory.route("auto")

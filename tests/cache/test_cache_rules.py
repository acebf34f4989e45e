from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from serve_app.cache.rules import Keeping, Rulebook
from serve_app.config.policy import CachePolicy, KeyPolicy
from serve_app.core.types import ChatParams, ChatRequest, Message

TOOL = {"type": "function", "function": {"name": "f"}}


def request(**params: Any) -> ChatRequest:
    return ChatRequest({}, ChatParams(model="auto", messages=[Message("user", "Hi")], **params))


def keeping(*rules: dict[str, Any], tenant: str = "t", model: str = "auto", **more: Any) -> Keeping:
    policy = CachePolicy.model_validate({"ttl_s": 1000, "result_ttl_s": 10, "rules": rules, **more})
    return Rulebook(policy).of(tenant, model, "/v1/chat/completions")


@pytest.mark.parametrize("params", [{}, {"temperature": 0.0}, {"tools": []}, {"n": 3}])
def test_a_repeatable_answer_lives_long(params: dict[str, Any]) -> None:
    assert keeping().life_s(request(**params)) == 1000


@pytest.mark.parametrize("params", [{"temperature": 0.1}, {"tools": [TOOL]}])
def test_a_random_answer_or_one_with_tools_lives_shorter(params: dict[str, Any]) -> None:
    assert keeping().life_s(request(**params)) == 10


def test_the_defaults_are_those_of_the_mission() -> None:
    found = Rulebook(CachePolicy()).of("t", "auto", "/v1/chat/completions")
    assert (found.ttl_s, found.result_ttl_s, found.semantic_ttl_s) == (86400, 3600, 43200)
    assert found.enabled
    assert not found.semantic


def test_nothing_is_kept_where_the_cache_is_off() -> None:
    assert not keeping(enabled=False).enabled
    assert not keeping({"enabled": True}, enabled=False).enabled


def test_the_first_rule_that_matches_holds_and_the_rest_is_as_in_the_policy() -> None:
    rules = ({"models": ["gpt-*"], "ttl_s": 5}, {"tenants": ["t"], "ttl_s": 6, "enabled": False})
    assert keeping(*rules, model="gpt-5").ttl_s == 5
    assert keeping(*rules, model="gpt-5").result_ttl_s == 10
    assert keeping(*rules).ttl_s == 6
    assert not keeping(*rules).enabled
    assert keeping(*rules, tenant="u").ttl_s == 1000


def test_a_rule_for_a_path_is_of_that_path_only() -> None:
    rules = Rulebook(CachePolicy.model_validate({"rules": [{"paths": ["/a"], "enabled": False}]}))
    assert not rules.of("t", "auto", "/a").enabled
    assert rules.of("t", "auto", "/b").enabled


def test_a_star_is_only_special_at_the_end() -> None:
    assert keeping({"models": ["g*t"], "ttl_s": 5}, model="gt").ttl_s == 1000
    assert keeping({"models": ["g*t"], "ttl_s": 5}, model="g*t").ttl_s == 5


def test_tenants_share_only_where_a_rule_says_so_and_no_tenant_can_take_the_name() -> None:
    shared = {"tenants": ["t", "u"], "shared": "faq"}
    assert keeping(shared).scope == keeping(shared, tenant="u").scope
    assert keeping(shared, tenant="v").scope == "v"
    with pytest.raises(ValidationError, match="tenant"):
        KeyPolicy(sha256="0" * 64, tenant=keeping(shared).scope)


def test_a_request_with_tools_is_never_answered_by_likeness() -> None:
    found = keeping({"semantic": True})
    assert found.by_likeness(request())
    assert not found.by_likeness(request(tools=[TOOL]))


def test_names_of_models_from_outside_take_bounded_memory() -> None:
    rules = Rulebook(CachePolicy())
    for number in range(20_000):
        rules.of("t", f"model-{number}", "/v1/chat/completions")
    assert len(rules._known) <= 4096

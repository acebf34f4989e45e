from __future__ import annotations

from typing import Any

import pytest

from serve_app.cache.lifetime import ttl_s
from serve_app.config.policy import CachePolicy
from serve_app.core.types import ChatParams, ChatRequest, Message

POLICY = CachePolicy(ttl_s=1000, result_ttl_s=10)
TOOL = {"type": "function", "function": {"name": "f"}}


def request(**params: Any) -> ChatRequest:
    return ChatRequest({}, ChatParams(model="auto", messages=[Message("user", "Hi")], **params))


@pytest.mark.parametrize("params", [{}, {"temperature": 0.0}, {"tools": []}, {"n": 3}])
def test_a_repeatable_answer_lives_long(params: dict[str, Any]) -> None:
    assert ttl_s(request(**params), POLICY) == 1000


@pytest.mark.parametrize("params", [{"temperature": 0.1}, {"tools": [TOOL]}])
def test_a_random_answer_or_one_with_tools_lives_shorter(params: dict[str, Any]) -> None:
    assert ttl_s(request(**params), POLICY) == 10


def test_nothing_is_stored_where_the_cache_is_off() -> None:
    assert ttl_s(request(), CachePolicy(enabled=False)) == 0

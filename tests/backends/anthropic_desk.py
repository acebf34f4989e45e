"""What Anthropic's dialect makes of requests, checked as the API checks them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from dialect_talk import QUESTION, a_call, backend
from provider.anthropic_rules import complaint

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.anthropic import AnthropicDialect

Json = dict[str, Any]

DIALECT = AnthropicDialect(backend("anthropic", "https://api.test/v1"))


def body(model: str = "any", messages: list[Json] | None = None, **more: Any) -> Json:
    call = a_call(model, QUESTION if messages is None else messages, **more)
    translated: Json = msgspec.json.decode(DIALECT.body(call))
    assert complaint(translated) == ""
    return translated


def refused(model: str = "any", messages: list[Json] | None = None, **more: Any) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        DIALECT.body(a_call(model, QUESTION if messages is None else messages, **more))
    return caught.value


def user(*parts: Json) -> list[Json]:
    return [{"role": "user", "content": list(parts)}]


def called(arguments: str = '{"city": "Paris"}', id_: str = "call_1") -> Json:
    function = {"name": "get_weather", "arguments": arguments}
    call = {"id": id_, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def result(text: str = "sunny", id_: str = "call_1", **more: Any) -> Json:
    return {"role": "tool", "tool_call_id": id_, "content": text, **more}

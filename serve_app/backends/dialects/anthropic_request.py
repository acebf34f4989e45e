"""A canonical request as Anthropic's Messages API takes it.

What changes only how likely each token is (temperature, penalties) is advice and left out where
there is no word for it; what a caller relies on (`n`, `seed`, log-probabilities, a JSON mode) is
refused, so that another candidate can do it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from serve_app.backends.base import Call
from serve_app.backends.dialects.anthropic_models import Manners
from serve_app.backends.dialects.anthropic_thinking import Thinking, thinking_for
from serve_app.backends.dialects.anthropic_turns import (
    PROVIDER,
    begin_answer,
    strip_last,
    system_of,
    turns_of,
)
from serve_app.backends.dialects.canonical_request import (
    Asked,
    Json,
    NamedTool,
    Tool,
    is_there,
    unsupported,
)
from serve_app.config.backend_settings import ModelSettings

DEFAULT_MAX_TOKENS = 4096
"""The API wants a limit; this one where neither the request nor the configuration names any."""

MAX_USER_ID = 256

_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}

_encode = msgspec.json.encode


def encode(call: Call, asked: Asked, model: ModelSettings | None, manners: Manners) -> bytes:
    """The JSON body.

    Raises:
        AttemptFailed: the request holds what Anthropic has no words for.
    """
    _check(asked)
    choice = _tool_choice(asked, manners)
    is_forced = choice is not None and choice["type"] in ("any", "tool")
    max_tokens = asked.output_tokens or _default_limit(model)
    thinking = thinking_for(
        asked, manners, max_tokens, is_forced=is_forced, is_begun=bool(call.prefix)
    )
    body: Json = {"model": call.model, "max_tokens": max_tokens}
    if system := system_of(asked.messages):
        body["system"] = system
    body["messages"] = _turns(call, asked, manners, thinking)
    if asked.tools:
        body["tools"] = [_tool(tool, model) for tool in asked.tools]
    if choice is not None:
        body["tool_choice"] = choice
    body |= thinking.fields | _output_config(asked, thinking, begun=call.prefix)
    if manners.takes_sampling and not thinking.is_manual:
        body |= _sampling(asked)
    if stops := _stops(asked):
        body["stop_sequences"] = stops
    if asked.user:
        body["metadata"] = {"user_id": asked.user[:MAX_USER_ID]}
    if call.stream:
        body["stream"] = True
    return _encode(body)


def _check(asked: Asked) -> None:
    demands: list[tuple[str, Any, str]] = [
        ("n", (asked.n or 1) > 1, "n above 1"),
        ("seed", asked.seed is not None, "seed"),
        ("logprobs", asked.logprobs or asked.top_logprobs, "log-probabilities"),
        ("logit_bias", asked.logit_bias, "logit_bias"),
        ("functions", asked.functions, "functions but as tools"),
        ("modalities", set(asked.modalities or ()) - {"text"}, "answers but as text"),
    ]
    for param, wanted, what in demands:
        if wanted:
            raise unsupported(PROVIDER, what, param)


def _default_limit(model: ModelSettings | None) -> int:
    return (model.max_output if model is not None else None) or DEFAULT_MAX_TOKENS


def _turns(call: Call, asked: Asked, manners: Manners, thinking: Thinking) -> list[Json]:
    turns = turns_of(asked.messages, with_thinking=thinking.takes_back)
    if call.prefix:
        begin_answer(turns, call.prefix)
    if turns[-1]["role"] == "assistant":
        if not manners.takes_prefix:
            raise unsupported(f"{PROVIDER}'s {call.model}", "answers that were begun", "messages")
        strip_last(turns)
    return turns


def _tool(tool: Tool, model: ModelSettings | None) -> Json:
    function = tool.function
    if tool.type != "function" or function is None:
        raise unsupported(PROVIDER, f"tools of the type {tool.type[:40]!r}", "tools")
    schema = function.parameters if is_there(function.parameters) else _NO_PARAMETERS
    value: Json = {"name": function.name, "input_schema": schema}
    if function.description is not None:
        value["description"] = function.description
    if function.strict and model is not None and "json_schema" in model.capabilities:
        value["strict"] = True
    if tool.cache_control is not None:
        value["cache_control"] = tool.cache_control
    return value


def _tool_choice(asked: Asked, manners: Manners) -> Json | None:
    if not asked.tools:
        return None
    choice = _wanted(asked.tool_choice)
    if choice is not None and choice["type"] in ("any", "tool") and not manners.may_be_forced:
        raise unsupported(f"{PROVIDER}'s model", "tool calls by force", "tool_choice")
    if asked.parallel_tool_calls is False and (choice or {}).get("type") != "none":
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return choice


def _wanted(choice: str | NamedTool | None) -> Json | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise unsupported(PROVIDER, f"tool_choice {choice[:40]!r}", "tool_choice")
        return {"type": _CHOICES[choice]}
    if choice.function is None:
        raise unsupported(PROVIDER, f"tool_choice of the type {choice.type[:40]!r}", "tool_choice")
    return {"type": "tool", "name": choice.function.name}


def _output_config(asked: Asked, thinking: Thinking, *, begun: str) -> Json:
    config: Json = {}
    if thinking.effort is not None:
        config["effort"] = thinking.effort
    wanted = asked.response_format
    if wanted is not None and wanted.type != "text":
        if asked.schema is None:
            raise unsupported(PROVIDER, f"response_format {wanted.type[:40]!r}", "response_format")
        if begun:
            raise unsupported(PROVIDER, "begun answers that follow a schema", "response_format")
        config["format"] = {"type": "json_schema", "schema": _closed(asked.schema)}
    return {"output_config": config} if config else {}


def _closed(schema: Json) -> Any:
    """The schema with objects closed to further properties: the API takes no others, and
    OpenAI's strict mode, which callers know, means the same."""
    try:
        return _close(schema)
    except RecursionError:
        raise unsupported(PROVIDER, "schemas so deep", "response_format") from None


def _close(node: Any) -> Any:
    if isinstance(node, list):
        return [_close(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {name: _close(value) for name, value in node.items()}
    if closed.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def _sampling(asked: Asked) -> Json:
    """Either of temperature (0 to 1 here) and top_p; newer models refuse both together."""
    fields: Json = {}
    if asked.temperature is not None:
        fields["temperature"] = min(max(asked.temperature, 0.0), 1.0)
    elif asked.top_p is not None:
        fields["top_p"] = asked.top_p
    if asked.top_k is not None:
        fields["top_k"] = asked.top_k
    return fields


def _stops(asked: Asked) -> list[str]:
    stops = asked.stops
    if any(not stop.strip() for stop in stops):
        raise unsupported(PROVIDER, "stop sequences of white space", "stop")
    return stops

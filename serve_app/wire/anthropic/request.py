"""An Anthropic request as a canonical one.

Top-level fields that are not in `blocks.MessagesRequest` are left out: they mean nothing to
other dialects, and strict backends would refuse them.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatRequest
from serve_app.wire.anthropic.blocks import (
    MessagesRequest,
    OutputConfig,
    OutputFormat,
    ThinkingConfig,
    Tool,
    ToolChoice,
)
from serve_app.wire.anthropic.content import Json, messages_of
from serve_app.wire.checks import check_utf8, no_json, wrong_field
from serve_app.wire.openai import from_values

_decode = msgspec.json.Decoder(MessagesRequest).decode

EFFORT_BY_BUDGET = ((4096, "low"), (16384, "medium"))
"""`thinking.budget_tokens` up to which an effort stands for it; above: high."""

_BLOCK = re.compile(r"(?:content|system)\[\d+\]\.type$")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def decode(body: bytes) -> ChatRequest:
    """Check the body of `POST /v1/messages`.

    Raises:
        BadRequest: `param` is the path of the field at fault.
    """
    request = _read(body)
    if request.max_tokens is None:
        raise BadRequest(
            "Invalid value for 'max_tokens': a required field is missing", param="max_tokens"
        )
    return _canonical(request)


def decode_count(body: bytes) -> ChatRequest:
    """Check the body of `POST /v1/messages/count_tokens`, which needs no `max_tokens`."""
    return _canonical(_read(body))


def _read(body: bytes) -> MessagesRequest:
    check_utf8(body)
    try:
        request = _decode(body)
    except msgspec.ValidationError as error:
        raise _wrong(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None
    _check(request)
    return request


def _wrong(error: msgspec.ValidationError) -> BadRequest:
    wrong = wrong_field(error)
    if wrong.param and _BLOCK.search(wrong.param):
        return BadRequest(
            f"{wrong.message}; blocks may be text, image, tool_use, tool_result, thinking and "
            "redacted_thinking (send documents as text)",
            param=wrong.param,
        )
    return wrong


def _check(request: MessagesRequest) -> None:
    if not request.messages:
        raise BadRequest("'messages' is empty; at least one is needed", param="messages")
    if request.temperature is not None and not 0 <= request.temperature <= 1:
        raise BadRequest(f"temperature is {request.temperature}; 0 to 1", param="temperature")
    if request.top_k is not None and request.top_k < 0:
        raise BadRequest(f"top_k is {request.top_k}; at least 0", param="top_k")
    if request.mcp_servers:
        raise BadRequest("mcp_servers are not called from here", param="mcp_servers")
    for at, tool in enumerate(request.tools or ()):
        if tool.type not in (None, "custom"):
            raise BadRequest(
                f"tools[{at}].type is {tool.type[:60]!r}; only tools with an input_schema of "
                "your own can be used",
                param=f"tools[{at}].type",
            )
        if tool.input_schema is None:
            raise BadRequest(
                f"tools[{at}].input_schema is missing", param=f"tools[{at}].input_schema"
            )


def _canonical(request: MessagesRequest) -> ChatRequest:
    values: Json = {
        "model": request.model,
        "messages": messages_of(request.system, request.messages),
    }
    for name in ("max_tokens", "temperature", "top_p", "top_k"):
        if (value := getattr(request, name)) is not None:
            values[name] = value
    if request.stop_sequences:
        values["stop"] = request.stop_sequences
    if request.stream is not None:
        values["stream"] = request.stream
    if request.stream:
        values["stream_options"] = {"include_usage": True}
    if request.metadata is not None and request.metadata.user_id is not None:
        values["user"] = request.metadata.user_id
    values |= _tools(request.tools, request.tool_choice)
    values |= _reasoning(request.thinking, request.output_config)
    values |= _format(request.output_config, request.output_format)
    return from_values(values)


def _tools(tools: list[Tool] | None, choice: ToolChoice | None) -> Json:
    values: Json = {}
    if tools:
        values["tools"] = [_tool(tool) for tool in tools]
    if choice is None:
        return values
    if choice.type == "tool":
        if choice.name not in [tool.name for tool in tools or ()]:
            raise BadRequest("tool_choice.name is not among the tools", param="tool_choice.name")
        values["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    else:
        values["tool_choice"] = _CHOICES[choice.type]
    if choice.disable_parallel_tool_use:
        values["parallel_tool_calls"] = False
    return values


def _tool(tool: Tool) -> Json:
    function: Json = {"name": tool.name, "parameters": tool.input_schema}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    value: Json = {"type": "function", "function": function}
    if tool.cache_control is not None:
        value["cache_control"] = tool.cache_control
    return value


def _reasoning(thinking: ThinkingConfig | None, config: OutputConfig | None) -> Json:
    """`reasoning_effort`: the effort asked for, else what a budget amounts to; thinking that is
    left to the model is medium. Thinking that is switched off asks for none."""
    effort: Any = None if config is None else config.effort
    if thinking is not None and thinking.type == "disabled":
        return {}
    if effort is None and thinking is not None:
        effort = _effort(thinking.budget_tokens)
    return {} if effort is None else {"reasoning_effort": "xhigh" if effort == "max" else effort}


def _effort(budget: int | None) -> str:
    if budget is None:
        return "medium"
    return next((effort for most, effort in EFFORT_BY_BUDGET if budget <= most), "high")


def _format(config: OutputConfig | None, older: OutputFormat | None) -> Json:
    """`response_format`; `output_format` was the name before `output_config.format`."""
    wanted = (None if config is None else config.format) or older
    if wanted is None:
        return {}
    schema = {"name": "answer", "schema": wanted.schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}

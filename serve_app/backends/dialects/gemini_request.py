"""A canonical request as Gemini's `generateContent` takes it."""

from __future__ import annotations

from typing import Any

import msgspec

from serve_app.backends.base import Call
from serve_app.backends.dialects.canonical_request import (
    Asked,
    Json,
    NamedTool,
    Tool,
    is_there,
    unsupported,
)
from serve_app.backends.dialects.gemini_contents import PROVIDER, contents_of, system_of
from serve_app.backends.dialects.gemini_models import thinking_config, wants_signatures

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_MAX_SEED = 0x7FFF_FFFF

_encode = msgspec.json.encode


def encode(call: Call, asked: Asked) -> bytes:
    """The JSON body.

    Raises:
        AttemptFailed: the request holds what Gemini has no words for.
    """
    _check(asked)
    contents = contents_of(asked.messages, wants_signatures=wants_signatures(call.model))
    if call.prefix:
        _begin_answer(contents, call.prefix)
    body: Json = {"contents": contents}
    if system := system_of(asked.messages):
        body["systemInstruction"] = {"parts": system}
    if asked.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(t) for t in asked.tools]}]
        if asked.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _calling(asked.tool_choice)}
    if config := _generation_config(call, asked):
        body["generationConfig"] = config
    return _encode(body)


def _check(asked: Asked) -> None:
    demands: list[tuple[str, Any, str]] = [
        ("logit_bias", asked.logit_bias, "logit_bias"),
        ("functions", asked.functions, "functions but as tools"),
        ("modalities", set(asked.modalities or ()) - {"text"}, "answers but as text"),
        (
            "parallel_tool_calls",
            bool(asked.tools) and asked.parallel_tool_calls is False,
            "way to have one tool call at a time",
        ),
    ]
    for param, wanted, what in demands:
        if wanted:
            raise unsupported(PROVIDER, what, param)


def _begin_answer(contents: list[Json], text: str) -> None:
    if contents[-1]["role"] == "model":
        contents[-1]["parts"].append({"text": text})
    else:
        contents.append({"role": "model", "parts": [{"text": text}]})


def _declaration(tool: Tool) -> Json:
    function = tool.function
    if tool.type != "function" or function is None:
        raise unsupported(PROVIDER, f"tools of the type {tool.type[:40]!r}", "tools")
    value: Json = {"name": function.name}
    if function.description is not None:
        value["description"] = function.description
    if is_there(function.parameters):
        value["parametersJsonSchema"] = function.parameters
    return value


def _calling(choice: str | NamedTool) -> Json:
    if isinstance(choice, str):
        if choice not in _MODES:
            raise unsupported(PROVIDER, f"tool_choice {choice[:40]!r}", "tool_choice")
        return {"mode": _MODES[choice]}
    if choice.function is None:
        raise unsupported(PROVIDER, f"tool_choice of the type {choice.type[:40]!r}", "tool_choice")
    return {"mode": "ANY", "allowedFunctionNames": [choice.function.name]}


def _generation_config(call: Call, asked: Asked) -> Json:
    given: list[tuple[str, Any]] = [
        ("maxOutputTokens", asked.output_tokens),
        ("stopSequences", asked.stops or None),
        ("temperature", asked.temperature),
        ("topP", asked.top_p),
        ("topK", asked.top_k),
        ("seed", None if asked.seed is None else asked.seed & _MAX_SEED),
        ("candidateCount", asked.n if (asked.n or 1) > 1 else None),
        ("presencePenalty", asked.presence_penalty or None),
        ("frequencyPenalty", asked.frequency_penalty or None),
        ("responseLogprobs", asked.logprobs or None),
        ("logprobs", asked.top_logprobs or None if asked.logprobs else None),
    ]
    config: Json = {name: value for name, value in given if value is not None}
    if asked.reasoning_effort is not None:
        config["thinkingConfig"] = thinking_config(call.model, asked.reasoning_effort)
    return config | _response_format(asked)


def _response_format(asked: Asked) -> Json:
    wanted = asked.response_format
    if wanted is None or wanted.type == "text":
        return {}
    if wanted.type not in ("json_object", "json_schema"):
        raise unsupported(PROVIDER, f"response_format {wanted.type[:40]!r}", "response_format")
    fields: Json = {"responseMimeType": "application/json"}
    if asked.schema is not None:
        fields["responseJsonSchema"] = asked.schema
    return fields

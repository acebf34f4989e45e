"""What Google's Gemini API refuses, told from its documentation and its error messages.

Each check returns the API's complaint, or nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

FIELDS = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig",
          "safetySettings", "cachedContent", "labels"}  # fmt: skip
CONFIG_FIELDS = {
    "stopSequences", "responseMimeType", "responseJsonSchema", "responseSchema", "candidateCount",
    "maxOutputTokens", "temperature", "topP", "topK", "seed", "presencePenalty",
    "frequencyPenalty", "responseLogprobs", "logprobs", "thinkingConfig", "responseModalities",
}  # fmt: skip
PARTS = {
    "text": set(),
    "inlineData": {"mimeType", "data"},
    "fileData": {"mimeType", "fileUri"},
    "functionCall": {"id", "name", "args"},
    "functionResponse": {"id", "name", "response", "parts"},
}
"""Kinds of parts, and the fields inside each."""

DECLARATION_FIELDS = {"name", "description", "parameters", "parametersJsonSchema", "behavior"}
MODES = {"AUTO", "ANY", "NONE", "VALIDATED"}
LEVELS = {"minimal", "low", "medium", "high"}
NO_SIGNATURE = "skip_thought_signature_validator"


def signature_of(said: str) -> str:
    return "sig-" + hashlib.sha256(said.encode()).hexdigest()[:24]


def complaint(body: dict[str, Any], model: str) -> str:
    """The first thing wrong with a request for content; empty if nothing is."""
    found = next(_unknown(body.keys() - FIELDS, "request"), "")
    checks = (_contents(body), _calls(body, model), _tools(body), _config(body, model))
    return found or next((said for check in checks for said in check), "")


def _unknown(names: set[str], where: str) -> Iterator[str]:
    for name in names:
        yield (
            f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': "
            "Cannot find field."
        )


def _contents(body: dict[str, Any]) -> Iterator[str]:
    if not body.get("contents"):
        yield "* GenerateContentRequest.contents: contents is not specified"
        return
    system = body.get("systemInstruction")
    if system is not None:
        yield from _unknown(system.keys() - {"parts", "role"}, "system_instruction")
    for at, content in enumerate(body["contents"]):
        yield from _unknown(content.keys() - {"role", "parts"}, f"contents[{at}]")
        if content["role"] not in ("user", "model"):
            yield "Please use a valid role: user, model."
        if not content["parts"]:
            yield f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty"
        for part in content["parts"]:
            yield from _part(part, f"contents[{at}].parts")
    if body["contents"][0]["role"] != "user":
        yield "Please ensure that multiturn requests start with a user turn"


def _part(part: dict[str, Any], where: str) -> Iterator[str]:
    kinds = part.keys() & PARTS.keys()
    if len(kinds) != 1:
        yield f"{where}: required oneof field 'data' must have one initialized field"
        return
    yield from _unknown(part.keys() - PARTS.keys() - {"thought", "thoughtSignature"}, where)
    kind = kinds.pop()
    if kind != "text":
        yield from _unknown(part[kind].keys() - PARTS[kind], f"{where}.{kind}")
    if kind == "functionResponse" and not isinstance(part[kind]["response"], dict):
        yield f"{where}.function_response.response: must be a Struct"
    if kind == "functionCall" and not isinstance(part[kind].get("args", {}), dict):
        yield f"{where}.function_call.args: must be a Struct"


def _calls(body: dict[str, Any], model: str) -> Iterator[str]:
    contents = body["contents"]
    for at, content in enumerate(contents):
        calls = [part for part in content["parts"] if "functionCall" in part]
        after = contents[at + 1]["parts"] if at + 1 < len(contents) else []
        responses = [part["functionResponse"] for part in after if "functionResponse" in part]
        if len(calls) != len(responses):
            yield (
                "Please ensure that the number of function response parts is equal to the number "
                "of function call parts of the function call turn."
            )
        if sorted(c["functionCall"]["name"] for c in calls) != sorted(r["name"] for r in responses):
            yield "function response parts must answer the function calls"
        if calls and model.startswith(("gemini-3", "gemini-4")):
            yield from _signed(calls[0])


def _signed(part: dict[str, Any]) -> Iterator[str]:
    signature, name = part.get("thoughtSignature"), part["functionCall"]["name"]
    if signature is None:
        yield f"Function call is missing a thought_signature in functionCall parts: `{name}`"
    elif signature not in (NO_SIGNATURE, signature_of(name)):
        yield "Corrupted thought signature."


def _tools(body: dict[str, Any]) -> Iterator[str]:
    names: list[str] = []
    for tool in body.get("tools", []):
        yield from _unknown(tool.keys() - {"functionDeclarations"}, "tools")
        for declaration in tool["functionDeclarations"]:
            yield from _unknown(
                declaration.keys() - DECLARATION_FIELDS, "tools.function_declarations"
            )
            names.append(declaration["name"])
    config = body.get("toolConfig", {}).get("functionCallingConfig")
    if config is None:
        return
    if not names:
        yield "Function calling config is set without function_declarations."
    yield from _unknown(config.keys() - {"mode", "allowedFunctionNames"}, "tool_config")
    if config["mode"] not in MODES:
        yield "Invalid value at 'tool_config.function_calling_config.mode'"
    if set(config.get("allowedFunctionNames", [])) - set(names):
        yield "allowed_function_names must be declared"


def _config(body: dict[str, Any], model: str) -> Iterator[str]:
    config = body.get("generationConfig", {})
    yield from _unknown(config.keys() - CONFIG_FIELDS, "generation_config")
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        yield "response_json_schema is only allowed with response_mime_type application/json"
    if "logprobs" in config and not config.get("responseLogprobs"):
        yield "logprobs needs response_logprobs"
    if not -(2**31) <= config.get("seed", 0) < 2**31:
        yield "Invalid value at 'generation_config.seed' (TYPE_INT32)"
    thinking = config.get("thinkingConfig", {})
    yield from _unknown(
        thinking.keys() - {"thinkingBudget", "thinkingLevel", "includeThoughts"}, "thinking_config"
    )
    if {"thinkingBudget", "thinkingLevel"} <= thinking.keys():
        yield "You can only set only one of thinking budget and thinking level."
    if "thinkingLevel" in thinking and model.startswith("gemini-2"):
        yield "Thinking level is not supported for this model."
    if thinking.get("thinkingLevel", "low") not in LEVELS:
        yield "Invalid value at 'generation_config.thinking_config.thinking_level'"

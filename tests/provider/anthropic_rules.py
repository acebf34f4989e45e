"""What Anthropic's API refuses, told from its documentation and its error messages.

Checks a request the way the API does, so that a translation that merely looks right fails here.
Each check returns the API's complaint, or nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

FIELDS = {
    "model", "max_tokens", "messages", "system", "metadata", "stop_sequences", "stream",
    "temperature", "top_p", "top_k", "tools", "tool_choice", "thinking", "output_config",
    "service_tier", "container", "cache_control",
}  # fmt: skip

BLOCKS = {
    "text": {"text"},
    "image": {"source"},
    "document": {"source", "title"},
    "tool_use": {"id", "name", "input"},
    "tool_result": {"tool_use_id", "content", "is_error"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
}
"""Fields of each kind of block, besides `type` and `cache_control`."""

TOOL_FIELDS = {"name", "description", "input_schema", "cache_control", "strict", "type"}
EFFORTS = {"low", "medium", "high", "xhigh", "max"}

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_ADAPTIVE = re.compile(r"claude-[a-z]+-(?:[5-9]|4-[6-9])")
_NEWEST = re.compile(r"claude-[a-z]+-(?:[5-9]|4-[7-9])")
_NEVER_FORCED = re.compile(r"claude-[a-z]+-5-5")


def signature_of(thinking: str) -> str:
    """What proves that we thought this."""
    return "sig-" + hashlib.sha256(thinking.encode()).hexdigest()[:24]


def complaint(body: dict[str, Any]) -> str:
    """The first thing wrong with a request; empty if nothing is."""
    checks = (_top, _turns, _blocks, _tools, _thinking, _sampling, _output)
    return next((said for check in checks for said in check(body)), "")


def _top(body: dict[str, Any]) -> Iterator[str]:
    for name in body.keys() - FIELDS:
        yield f"{name}: Extra inputs are not permitted"
    if not isinstance(body.get("max_tokens"), int):
        yield "max_tokens: Field required"
    elif body["max_tokens"] < 1:
        yield "max_tokens: Input should be greater than or equal to 1"
    if not body.get("messages"):
        yield "messages: at least one message is required"
    for stop in body.get("stop_sequences", []):
        if not stop.strip():
            yield "stop_sequences: each stop sequence must contain non-whitespace"
    if body.get("metadata", {}).keys() - {"user_id"}:
        yield "metadata: Extra inputs are not permitted"


def _turns(body: dict[str, Any]) -> Iterator[str]:
    turns = body["messages"]
    if turns[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    for at, turn in enumerate(turns):
        if turn.keys() != {"role", "content"}:
            yield f"messages.{at}: Extra inputs are not permitted"
        if turn["role"] not in ("user", "assistant"):
            yield f"messages.{at}.role: Input should be 'user' or 'assistant'"
        if at and turn["role"] == turns[at - 1]["role"]:
            yield 'messages: roles must alternate between "user" and "assistant"'
    last = turns[-1]
    if last["role"] == "assistant":
        if _ADAPTIVE.match(body["model"]):
            yield (
                "This model does not support assistant message prefill. The conversation must "
                "end with a user message."
            )
        if blocks_of(last)[-1].get("text", "x") != blocks_of(last)[-1].get("text", "x").rstrip():
            yield "messages: final assistant content cannot end with trailing whitespace"


def _blocks(body: dict[str, Any]) -> Iterator[str]:
    system = body.get("system", [])
    turns = body["messages"]
    groups = [blocks_of({"content": system}), *map(blocks_of, turns)]
    for block in (block for group in groups for block in group):
        yield from _block(block)
    for at, turn in enumerate(turns):
        called = {b["id"] for b in blocks_of(turn) if b["type"] == "tool_use"}
        after = blocks_of(turns[at + 1]) if at + 1 < len(turns) else []
        results = [b["tool_use_id"] for b in after if b["type"] == "tool_result"]
        if called - set(results):
            yield (
                f"messages.{at}: `tool_use` ids were found without `tool_result` blocks "
                "immediately after"
            )
        if set(results) - called:
            yield f"messages.{at + 1}: unexpected `tool_use_id` found in `tool_result` blocks"
        if [b["type"] for b in after[: len(results)]] != ["tool_result"] * len(results):
            yield f"messages.{at + 1}: `tool_result` blocks must come first"


def blocks_of(turn: dict[str, Any]) -> list[dict[str, Any]]:
    content = turn["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _block(block: dict[str, Any]) -> Iterator[str]:
    kind = block.get("type", "")
    if kind not in BLOCKS:
        yield f"Input tag {kind!r} found using 'type' does not match any of the expected tags"
        return
    if block.keys() - BLOCKS[kind] - {"type", "cache_control"}:
        yield f"{kind}: Extra inputs are not permitted"
    if block.get("cache_control", {"type": "ephemeral"}).get("type") != "ephemeral":
        yield "cache_control.type: Input should be 'ephemeral'"
    match kind:
        case "text" if not block["text"].strip():
            yield "messages: text content blocks must contain non-whitespace text"
        case "tool_use" if not _ID.fullmatch(block["id"]):
            yield "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        case "tool_use" if not isinstance(block["input"], dict):
            yield "tool_use.input: Input should be a valid dictionary"
        case "tool_result":
            for inner in blocks_of({"content": block.get("content", [])}):
                yield from _block(inner)
        case "image" | "document":
            wanted = {"base64": {"type", "media_type", "data"}, "url": {"type", "url"}}
            if wanted.get(block["source"].get("type")) != block["source"].keys():
                yield f"{kind}.source: Input should be a valid source"
        case "thinking" if block["signature"] != signature_of(block["thinking"]):
            yield "Invalid `signature` in `thinking` block"


def _tools(body: dict[str, Any]) -> Iterator[str]:
    for tool in body.get("tools", []):
        if tool.keys() - TOOL_FIELDS:
            yield "tools: Extra inputs are not permitted"
        if tool.get("input_schema", {}).get("type") != "object":
            yield "tools.input_schema.type: Field required"
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not body.get("tools"):
        yield "tool_choice: may only be specified while providing tools"
    fields = {
        "auto": {"disable_parallel_tool_use"},
        "any": {"disable_parallel_tool_use"},
        "tool": {"name", "disable_parallel_tool_use"},
        "none": set(),
    }
    if choice.get("type") not in fields or choice.keys() - fields[choice["type"]] - {"type"}:
        yield "tool_choice: Extra inputs are not permitted"
    if choice.get("type") in ("any", "tool"):
        if body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
            yield "Thinking may not be enabled when tool_choice forces tool use."
        if _NEVER_FORCED.match(body["model"]):
            yield "tool_choice: forced tool use is not supported on this model"


def _thinking(body: dict[str, Any]) -> Iterator[str]:
    thinking = body.get("thinking", {"type": "disabled"})
    adaptive = _ADAPTIVE.match(body["model"])
    match thinking["type"]:
        case "enabled" if _NEWEST.match(body["model"]):
            yield '"thinking.type.enabled" is not supported for this model.'
        case "enabled":
            if not 1024 <= thinking["budget_tokens"] < body["max_tokens"]:
                yield (
                    "thinking.enabled.budget_tokens: Input should be at least 1024 and less "
                    "than max_tokens"
                )
            if "temperature" in body or "top_k" in body:
                yield "`temperature` may only be set to 1 when thinking is enabled"
        case "adaptive" if not adaptive:
            yield "adaptive thinking is not supported on this model"
        case "adaptive":
            if thinking.keys() - {"type", "display"}:
                yield "thinking.adaptive: Extra inputs are not permitted"
    if not adaptive:
        yield from _loop(body, thinking["type"] == "enabled")


def _loop(body: dict[str, Any], is_on: bool) -> Iterator[str]:
    """Within one turn of the assistant, thinking stays as it was."""
    for turn in reversed(body["messages"]):
        kinds = [block["type"] for block in blocks_of(turn)]
        if turn["role"] == "user" and set(kinds) != {"tool_result"}:
            return
        if turn["role"] == "assistant":
            thought = kinds[0] in ("thinking", "redacted_thinking")
            if is_on and not thought:
                yield f"Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`."
            if not is_on and thought:
                yield "When `thinking` is disabled, an assistant turn may not contain thinking"


def _sampling(body: dict[str, Any]) -> Iterator[str]:
    if _NEWEST.match(body["model"]) and body.keys() & {"temperature", "top_p", "top_k"}:
        yield "`temperature`, `top_p` and `top_k` are not supported on this model"
    if not 0 <= body.get("temperature", 0) <= 1:
        yield "temperature: range: 0..1"
    if {"temperature", "top_p"} <= body.keys():
        yield "`temperature` and `top_p` cannot both be specified for this model."


def _output(body: dict[str, Any]) -> Iterator[str]:
    config = body.get("output_config", {})
    if config.keys() - {"effort", "format"} or config.get("effort", "low") not in EFFORTS:
        yield "output_config: Extra inputs are not permitted"
    if (format_ := config.get("format")) is not None:
        if format_.keys() != {"type", "schema"} or format_["type"] != "json_schema":
            yield "output_config.format: Input should be a json_schema"
        yield from _schema(format_["schema"])
        if body["messages"][-1]["role"] == "assistant":
            yield "output_config.format: incompatible with prefill"


def _schema(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("type") == "object" and node.get("additionalProperties") is not False:
            yield (
                "output_config.format.schema: For 'object' type, 'additionalProperties' must be "
                "explicitly set to false"
            )
        for value in node.values():
            yield from _schema(value)

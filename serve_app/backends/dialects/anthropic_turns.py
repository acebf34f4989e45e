"""Messages as Anthropic takes them: a system prompt apart, then turns of user and assistant."""

from __future__ import annotations

import re

from serve_app.backends.dialects.anthropic_thinking import thoughts_of
from serve_app.backends.dialects.canonical_request import (
    Json,
    Message,
    Part,
    ToolCall,
    arguments_of,
    split_data_url,
    text_of,
    unsupported,
)

PROVIDER = "Anthropic"

_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def system_of(messages: list[Message]) -> list[Json]:
    """Every message of the system and the developer, in order."""
    return [
        block
        for message in messages
        if message.role in ("system", "developer")
        for block in _blocks(message)
    ]


def turns_of(messages: list[Message], *, with_thinking: bool) -> list[Json]:
    """Alternating turns; the results of tools come first in the user's.

    Raises:
        AttemptFailed: something in the messages has no words here.
    """
    turns: list[Json] = []
    for message in messages:
        if message.role in ("system", "developer"):
            continue
        role, blocks = _said(message, with_thinking=with_thinking)
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    if not turns or turns[0]["role"] == "assistant":
        turns.insert(0, _opening())
    for turn in turns:
        if turn["role"] == "user":
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return turns


def _opening() -> Json:
    """The first turn has to be the user's; a conversation cut to fit may begin with an answer."""
    return {"role": "user", "content": [{"type": "text", "text": "(continued)"}]}


def _said(message: Message, *, with_thinking: bool) -> tuple[str, list[Json]]:
    match message.role:
        case "user":
            return "user", _blocks(message)
        case "assistant":
            thoughts = thoughts_of(message) if with_thinking else []
            calls = [_tool_use(call) for call in message.tool_calls or ()]
            return "assistant", [*thoughts, *_blocks(message), *calls]
        case "tool":
            return "user", [_tool_result(message)]
        case role:
            raise unsupported(PROVIDER, f"messages of the role {role[:40]!r}", "messages")


def begin_answer(turns: list[Json], text: str) -> None:
    """Add the beginning of the answer. The API refuses one that ends with white space."""
    text = text.rstrip()
    if not text:
        return
    if turns[-1]["role"] == "assistant":
        turns[-1]["content"].append({"type": "text", "text": text})
    else:
        turns.append({"role": "assistant", "content": [{"type": "text", "text": text}]})


def strip_last(turns: list[Json]) -> None:
    """Take white space off the end of a last assistant turn; see `begin_answer`."""
    last = turns[-1]
    if last["role"] == "assistant" and last["content"][-1]["type"] == "text":
        last["content"][-1]["text"] = last["content"][-1]["text"].rstrip()


def _blocks(message: Message) -> list[Json]:
    parts = message.parts()
    blocks = [block for part in parts if (block := _block(part)) is not None]
    if blocks and message.cache_control is not None:
        blocks[-1].setdefault("cache_control", message.cache_control)
    return blocks


def _block(part: Part) -> Json | None:
    """None for a text that is only white space, which the API refuses."""
    match part.type:
        case "text" | "refusal":
            text = text_of(part)
            return _cached({"type": "text", "text": text}, part) if text.strip() else None
        case "image_url" if part.image_url is not None:
            return _cached({"type": "image", "source": _source(part.image_url.url)}, part)
        case "file" if part.file is not None and part.file.file_data:
            return _cached({"type": "document", "source": _source(part.file.file_data)}, part)
        case kind:
            raise unsupported(PROVIDER, f"content of the type {kind[:40]!r}", "messages")


def _source(url: str) -> Json:
    if (data := split_data_url(url)) is not None:
        return {"type": "base64", "media_type": data[0], "data": data[1]}
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    raise unsupported(PROVIDER, "images or files but as base64 or by http(s) address", "messages")


def _cached(block: Json, given: Part | ToolCall) -> Json:
    if given.cache_control is not None:
        block["cache_control"] = given.cache_control
    return block


def _tool_use(call: ToolCall) -> Json:
    if call.function is None:
        raise unsupported(PROVIDER, f"tool calls of the type {call.type[:40]!r}", "messages")
    value = arguments_of(call, PROVIDER)
    block = {"type": "tool_use", "id": _id(call.id), "name": call.function.name, "input": value}
    return _cached(block, call)


def _tool_result(message: Message) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": _id(message.tool_call_id or "")}
    content = _blocks(message)
    cached: Json | None = None
    for inner in content:  # the API takes it on the result, and once is what was meant
        cached = inner.pop("cache_control", None) or cached
    if content:
        block["content"] = content
    if message.is_error:
        block["is_error"] = True
    if cached is not None:
        block["cache_control"] = cached
    return block


def _id(given: str) -> str:
    """An id of another provider (`functions.search:0`) as this one takes it."""
    return _NOT_IN_ID.sub("_", given)

"""Turns of an Anthropic request as chat messages.

A turn may become several messages: results of tools are messages of their own in OpenAI's
dialect. What it has no words for is kept in keys of Anthropic's names (`cache_control`,
`is_error`, `reasoning_details`), which backends of that dialect put back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serve_app.core.errors import BadRequest
from serve_app.wire.anthropic.blocks import (
    Base64,
    Block,
    Image,
    RedactedThinking,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
)

_encode = msgspec.json.encode

_SEE_IMAGES = "The result is what follows as an image."

Json = dict[str, Any]


def messages_of(system: str | list[Text] | None, turns: list[Turn]) -> list[Json]:
    """All messages of a request, the system's first.

    Raises:
        BadRequest: a block stands where it cannot.
    """
    messages: list[Json] = []
    if system:
        messages.append({"role": "system", "content": _content(system)})
    for at, turn in enumerate(turns):
        if isinstance(turn.content, str):
            messages.append({"role": turn.role, "content": turn.content})
        elif turn.role == "assistant":
            messages.append(_assistant(turn.content, f"messages[{at}]"))
        elif turn.role == "system":
            texts = [_text(block, f"messages[{at}]", n) for n, block in enumerate(turn.content)]
            messages.append({"role": "system", "content": _content(texts)})
        else:
            messages += _user(turn.content, f"messages[{at}]")
    return messages


def _content(given: str | list[Text]) -> str | list[Json]:
    """A text, or parts where there are several or one has more to say."""
    if isinstance(given, str):
        return given
    if len(given) == 1 and given[0].cache_control is None:
        return given[0].text
    return [_part(block) for block in given]


def _part(block: Text | Image) -> Json:
    part: Json
    if isinstance(block, Text):
        part = {"type": "text", "text": block.text}
    else:
        part = {"type": "image_url", "image_url": {"url": _url(block)}}
    if block.cache_control is not None:
        part["cache_control"] = block.cache_control
    return part


def _url(image: Image) -> str:
    source = image.source
    if isinstance(source, Base64):
        return f"data:{source.media_type};base64,{source.data}"
    return source.url


# ------------------------------------------------------------------ user


def _user(blocks: list[Block], path: str) -> list[Json]:
    """Results of tools, each a message, then what the user says; the images of results go
    with the latter, because a tool's message holds only text."""
    messages: list[Json] = []
    parts: list[Json] = []
    said: list[Json] = []
    for at, block in enumerate(blocks):
        if isinstance(block, ToolResult):
            messages.append(_result(block))
            parts += _images(block)
        elif isinstance(block, Text | Image):
            said.append(_part(block))
        else:
            raise _misplaced(path, at, block, "user")
    parts += said
    if parts or not messages:
        messages.append({"role": "user", "content": _simplest(parts)})
    return messages


def _simplest(parts: list[Json]) -> str | list[Json]:
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return str(parts[0]["text"])
    return parts


def _result(block: ToolResult) -> Json:
    message: Json = {"role": "tool", "tool_call_id": block.tool_use_id}
    message["content"] = _result_content(block)
    if block.is_error:
        message["is_error"] = True
    return message


def _result_content(block: ToolResult) -> str | list[Json]:
    given = block.content
    if isinstance(given, list):
        texts = [part for part in given if isinstance(part, Text)]
        if not texts and given:
            texts = [Text(_SEE_IMAGES)]
    else:
        texts = [Text(given or "")]
    if block.cache_control is not None and texts and texts[-1].cache_control is None:
        texts[-1] = Text(texts[-1].text, block.cache_control)
    return _content(texts) or ""


def _images(block: ToolResult) -> list[Json]:
    """The images of a result, introduced by the call they answer."""
    if not isinstance(block.content, list):
        return []
    images = [_part(part) for part in block.content if isinstance(part, Image)]
    if not images:
        return []
    return [{"type": "text", "text": f"Image of the result of {block.tool_use_id}:"}, *images]


# ------------------------------------------------------------- assistant


def _assistant(blocks: list[Block], path: str) -> Json:
    texts: list[Text] = []
    calls: list[Json] = []
    thoughts: list[str] = []
    details: list[Json] = []
    for at, block in enumerate(blocks):
        match block:
            case Text():
                texts.append(block)
            case ToolUse():
                calls.append(_call(block))
            case Thinking():
                thoughts.append(block.thinking)
                details.append(_detail(block))
            case RedactedThinking():
                details.append({"type": "reasoning.encrypted", "data": block.data})
            case _:
                raise _misplaced(path, at, block, "assistant")
    message: Json = {"role": "assistant", "content": _content(texts) if texts else None}
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if details:
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None:
        message["content"] = ""
    return message


def _call(block: ToolUse) -> Json:
    function = {"name": block.name, "arguments": _encode(block.input).decode()}
    call: Json = {"id": block.id, "type": "function", "function": function}
    if block.cache_control is not None:
        call["cache_control"] = block.cache_control
    return call


def _detail(block: Thinking) -> Json:
    return {
        "type": "reasoning.text",
        "text": block.thinking,
        "signature": block.signature,
    }


def _text(block: Block, path: str, at: int) -> Text:
    if not isinstance(block, Text):
        raise _misplaced(path, at, block, "system")
    return block


def _misplaced(path: str, at: int, block: Block, role: str) -> BadRequest:
    where = f"{path}.content[{at}]"
    kind = block.__struct_config__.tag
    return BadRequest(f"{where} is {kind!r}, which no {role} turn holds", param=where)

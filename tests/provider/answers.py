"""What the scripted provider says: deterministic answers in OpenAI's shapes."""

from __future__ import annotations

import json
from typing import Any

CREATED = 1_700_000_000

EMAIL_PIECES = ["Write to jo", "hn.doe@exa", "mple.com or call 1381", "234", "5678 today."]
"""An e-mail address and a mobile number, each cut by the borders of chunks."""

EMAIL_TEXT = "".join(EMAIL_PIECES)

TOOL_ARGUMENTS = ['{"city"', ': "Par', 'is"}']


def last_user_text(body: dict[str, Any]) -> str:
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            content = message["content"]
            if isinstance(content, list):
                return " ".join(part.get("text", "") for part in content)
            return str(content)
    return ""


def reply_text(body: dict[str, Any]) -> str:
    """The answer to a request: `You said: ` and its last user text."""
    return f"You said: {last_user_text(body)}"


def pieces_of(text: str) -> list[str]:
    """Words with the space before them, as a model streams them."""
    words = text.split(" ")
    return [words[0], *(f" {word}" for word in words[1:])]


def usage(body: dict[str, Any], completion_tokens: int) -> dict[str, int]:
    """A word is a token."""
    prompt = sum(len(str(m.get("content") or "").split()) for m in body["messages"])
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt + completion_tokens,
    }


def completion(
    body: dict[str, Any],
    message: dict[str, Any],
    *,
    tokens: int = 1,
    finish_reason: str = "stop",
) -> bytes:
    """A `chat.completion` with as many choices as were asked for."""
    choice = {
        "message": {"role": "assistant", **message},
        "logprobs": None,
        "finish_reason": finish_reason,
    }
    count = body.get("n") or 1
    return encode(
        {
            "id": "chatcmpl-scripted",
            "object": "chat.completion",
            "created": CREATED,
            "model": body["model"],
            "choices": [{"index": index, **choice} for index in range(count)],
            "usage": usage(body, tokens * count),
        }
    )


def chunk(
    body: dict[str, Any], delta: dict[str, Any], *, index: int = 0, finish: str | None = None
) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return encode(_chunk_head(body) | {"choices": [choice]})


def usage_chunk(body: dict[str, Any], tokens: int) -> bytes:
    return encode(_chunk_head(body) | {"choices": [], "usage": usage(body, tokens)})


def _chunk_head(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": body["model"],
    }


def tool_call(arguments: str, *, first: bool = True) -> dict[str, Any]:
    """A call of `get_weather`, or, with `first` False, a further piece of its arguments."""
    if not first:
        return {"index": 0, "function": {"arguments": arguments}}
    function = {"name": "get_weather", "arguments": arguments}
    return {"index": 0, "id": "call_1", "type": "function", "function": function}


def error(message: str, type_: str, code: object = None, param: str | None = None) -> bytes:
    return encode({"error": {"message": message, "type": type_, "code": code, "param": param}})


def event(payload: bytes) -> bytes:
    return b"data: " + payload + b"\n\n"


DONE = event(b"[DONE]")


def encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

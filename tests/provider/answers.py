"""What the scripted provider says: deterministic answers in OpenAI's shapes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

CREATED = 1_700_000_000

EMAIL_PIECES = ["Write to jo", "hn.doe@exa", "mple.com or call 1381", "234", "5678 today."]
"""An e-mail address and a mobile number, each cut by the borders of chunks."""

EMAIL_TEXT = "".join(EMAIL_PIECES)

TEXT = "scripted.text"
"""Field of a body under which a manner (`manners.py`) leaves what is to be said instead."""

_TALE_WORDS = (
    "river stone lantern quiet morning garden winter silver road music paper window harbour "
    "copper meadow distant gentle thunder orange planet candle forest bridge velvet shadow "
    "summer island feather grüße 世界 mirror amber"
)


def last_user_text(body: dict[str, Any]) -> str:
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            return text_of(message["content"])
    return ""


def text_of(content: object) -> str:
    """The text of a message's content, whether it is a string or parts."""
    if isinstance(content, list):
        return " ".join(part.get("text") or "" for part in content)
    return str(content or "")


def reply_text(body: dict[str, Any]) -> str:
    """The answer to a request: `You said: ` and its last user text, unless a manner of
    answering (`manners.py`) has chosen another."""
    if TEXT in body:
        return str(body[TEXT])
    return f"You said: {last_user_text(body)}"


def tale(question: str, words: int = 80) -> str:
    """A long answer that a question always gets, so that a test knows the whole of it."""
    seed = hashlib.sha256(question.encode()).digest()
    known = _TALE_WORDS.split()
    chosen = [known[(seed[n % 32] + 7 * n) % len(known)] for n in range(words)]
    return " ".join(["Once", *chosen, "end."])


def pieces_of(text: str) -> list[str]:
    """Words with the space before them, as a model streams them."""
    words = text.split(" ")
    rest = [f" {word}" for word in words[1:]]
    return [words[0], *rest] if words[0] or not rest else rest


def usage(body: dict[str, Any], completion_tokens: int) -> dict[str, int]:
    """A word is a token."""
    prompt = sum(len(text_of(m.get("content")).split()) for m in body["messages"])
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


def error(message: str, type_: str, code: object = None, param: str | None = None) -> bytes:
    return encode({"error": {"message": message, "type": type_, "code": code, "param": param}})


def event(payload: bytes) -> bytes:
    return b"data: " + payload + b"\n\n"


DONE = event(b"[DONE]")


def encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

"""What the scripted provider says in Anthropic's shapes: messages and the events of streams."""

from __future__ import annotations

import json
from typing import Any

from answers import encode, pieces_of
from anthropic_rules import blocks_of, signature_of

CITIES = ("Paris", "Oslo")
THOUGHTS = ("Let me think. ", "It is grüne 世界.")
SEAL = "c2VhbGVkIHRob3VnaHQ="


def question(body: dict[str, Any]) -> str:
    for turn in reversed(body["messages"]):
        texts = [block["text"] for block in blocks_of(turn) if block["type"] == "text"]
        if turn["role"] == "user" and texts:
            return " ".join(texts)
    return ""


def results(body: dict[str, Any]) -> list[str]:
    """What the tools of the last turn said."""
    found = [b for b in blocks_of(body["messages"][-1]) if b["type"] == "tool_result"]
    return [" ".join(b["text"] for b in blocks_of({"content": r.get("content", [])}))
            for r in found]  # fmt: skip


def answer(body: dict[str, Any]) -> str:
    """`You said: ...`, or what the tools said, or what is left of it after a begun answer."""
    if said := results(body):
        return f"The tools said: {' / '.join(said)}"
    text = f"You said: {question(body)}"
    last = body["messages"][-1]
    if last["role"] == "assistant":
        begun = blocks_of(last)[-1]["text"]
        return text.removeprefix(begun) if text.startswith(begun) else " [no such beginning]"
    return text


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def thought(display: str = "summarized") -> dict[str, Any]:
    whole = "".join(THOUGHTS) if display == "summarized" else ""
    return {"type": "thinking", "thinking": whole, "signature": signature_of(whole)}


def sealed() -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": SEAL}


def call(body: dict[str, Any], number: int, **arguments: str) -> dict[str, Any]:
    name = body["tools"][number % len(body["tools"])]["name"]
    return {"type": "tool_use", "id": f"toolu_0{number}", "name": name, "input": arguments}


def usage(body: dict[str, Any], cached: int = 0, written: int = 0) -> dict[str, Any]:
    """A word of the question is a token; those that a cache had come on top."""
    return {
        "input_tokens": len(question(body).split()),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": 1,
        "service_tier": "standard",
    }


def message(
    body: dict[str, Any], blocks: list[dict[str, Any]], stop: str, **more: Any
) -> dict[str, Any]:  # fmt: skip
    tokens = sum(len(pieces_of(json.dumps(block))) for block in blocks)
    counts = more.pop("usage", usage(body))
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": counts | {"output_tokens": tokens},
        **more,
    }


def events(whole: dict[str, Any]) -> list[bytes]:
    """A message as the events it is streamed in."""
    begun = whole | {"content": [], "stop_reason": None}
    begun["usage"] = whole["usage"] | {"output_tokens": 1}
    said = [event("message_start", message=begun), event("ping")]
    for index, block in enumerate(whole["content"]):
        said += _block_events(index, block)
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    if "stop_details" in whole:
        delta["stop_details"] = whole["stop_details"]
    counts = {"output_tokens": whole["usage"]["output_tokens"]}
    return [*said, event("message_delta", delta=delta, usage=counts), event("message_stop")]


def _block_events(index: int, block: dict[str, Any]) -> list[bytes]:
    empty: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    start = block | empty.get(block["type"], {})
    deltas = [event("content_block_delta", index=index, delta=delta) for delta in _deltas(block)]
    return [
        event("content_block_start", index=index, content_block=start),
        *deltas,
        event("content_block_stop", index=index),
    ]


def _deltas(block: dict[str, Any]) -> list[dict[str, Any]]:
    match block["type"]:
        case "text":
            return [{"type": "text_delta", "text": piece} for piece in pieces_of(block["text"])]
        case "thinking":
            pieces = THOUGHTS if block["thinking"] else ()
            thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
            return [*thoughts, {"type": "signature_delta", "signature": block["signature"]}]
        case "tool_use" if block["input"]:
            arguments = json.dumps(block["input"])
            pieces_ = ["", arguments[:5], arguments[5:12], arguments[12:]]
            return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces_]
    return []


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), encode({"type": kind, **fields}))


def error(kind: str, what: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": what}, "request_id": "req_1"}

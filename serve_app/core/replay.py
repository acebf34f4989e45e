"""A whole reply as the events of a stream: for answers kept whole, and for providers that never
stream."""

from __future__ import annotations

from typing import Any

import msgspec

_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.encode


def events_of(body: bytes) -> list[bytes]:
    """The events that a `chat.completion` amounts to, as JSON payloads: for each choice all that
    it says, and its end."""
    value = _object(body)
    head = {
        "id": value.get("id") or "",
        "object": "chat.completion.chunk",
        "created": int(value.get("created") or 0),
        "model": value.get("model") or "",
    }
    events: list[bytes] = []
    for choice in value.get("choices", ()):
        events += [_encode({**head, "choices": [part]}) for part in _parts(choice)]
    return events


def _parts(choice: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    index, message = choice.get("index", 0), dict(choice.get("message") or {})
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{**call, "index": at} for at, call in enumerate(calls)]
    delta = {name: value for name, value in message.items() if value is not None}
    delta.setdefault("role", "assistant")
    says: dict[str, Any] = {"index": index, "delta": delta, "finish_reason": None}
    if choice.get("logprobs") is not None:
        says["logprobs"] = choice["logprobs"]
    # A whole reply is over, whether it says why or not.
    ends = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
    return says, ends

"""Messages as JSON, for requests that we put together ourselves."""

from __future__ import annotations

from typing import Any

import msgspec

from serve_app.core.types import Message


def encode_messages(messages: list[Message]) -> bytes:
    """Messages as JSON without the fields that are not set (providers refuse some nulls)."""
    return msgspec.json.encode([_plain(message) for message in messages])


def _plain(message: Message) -> dict[str, Any]:
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    for name in ("name", "tool_calls", "tool_call_id"):
        if (set_to := getattr(message, name)) is not None:
            value[name] = set_to
    return value

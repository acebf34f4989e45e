"""From Anthropic's client through the canonical request to Anthropic's API: nothing is lost."""

from __future__ import annotations

import json
from typing import Any

from serve_app.backends.base import Call
from serve_app.backends.dialects.anthropic import AnthropicDialect
from serve_app.config.backend_settings import HostedBackend
from serve_app.wire.anthropic import request as anthropic

MODEL = "claude-sonnet-4-5"
MARK = {"type": "ephemeral"}
ASKED: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 20_000,
    "stream": True,
    "system": [
        {"type": "text", "text": "be nice"},
        {"type": "text", "text": "a long manual", "cache_control": MARK},
    ],
    "thinking": {"type": "enabled", "budget_tokens": 8192},
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u-1"},
    "tools": [
        {
            "name": "look", "description": "Looks", "input_schema": {"type": "object"},
            "cache_control": MARK,
        },
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "what is there?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I should look.", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"where": ["a"]}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result", "tool_use_id": "toolu_1", "is_error": True,
                    "content": [{"type": "text", "text": "too dark"}],
                },
                {"type": "text", "text": "and here?", "cache_control": MARK},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"},
                },
            ],
        },
    ],
}  # fmt: skip


def sent_for(**fields: Any) -> dict[str, Any]:
    """What the provider gets for what the client sent."""
    request = anthropic.decode(json.dumps({**ASKED, **fields}).encode())
    settings = HostedBackend.model_validate(
        {
            "name": "a",
            "kind": "anthropic",
            "base_url": "https://api.example.com/v1",
            "models": [{"id": MODEL, "context": 200_000}],
        }
    )
    call = Call("a", MODEL, request.body(), stream=True, request_id="r", timeout_s=10)
    sent: dict[str, Any] = json.loads(AnthropicDialect(settings).body(call))
    return sent


def as_blocks(sent: dict[str, Any]) -> dict[str, Any]:
    """A text that stands alone may be a string or a block."""
    for message in sent["messages"]:
        for holder in (message, *message["content"]):
            if isinstance(holder, dict) and isinstance(holder.get("content"), str):
                holder["content"] = [{"type": "text", "text": holder["content"]}]
    return sent


def test_a_tool_loop_reaches_anthropic_as_it_was() -> None:
    assert as_blocks(sent_for()) == ASKED


def test_sampling_reaches_anthropic_as_it_was() -> None:
    sent = sent_for(thinking={"type": "disabled"}, temperature=0.5, top_k=5)
    assert (sent["temperature"], sent["top_k"]) == (0.5, 5)

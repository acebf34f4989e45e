"""What of a request becomes tokens, for an estimate."""

from __future__ import annotations

from serve_app.core.types import ChatRequest
from serve_app.wire.openai import texts_of

_IMAGE = "image " * 1000
"""Stands for an image; Anthropic counts up to about 1,600 tokens for one."""


def countable(request: ChatRequest) -> list[str]:
    """The texts that a model reads: messages, calls, definitions of tools, images as texts."""
    texts = list(texts_of(request, "").texts)
    for message in request.params.messages:
        called = [call.function for call in message.tool_calls or () if call.function is not None]
        texts += [function.name for function in called]
        if isinstance(message.content, list):
            texts += [_IMAGE for part in message.content if part.type == "image_url"]
    if request.params.tools:
        texts.append(bytes(request.fields["tools"]).decode())
    return texts

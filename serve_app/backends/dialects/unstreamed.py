"""A whole reply where a stream was asked for, as the chunks of one: some providers never stream."""

from __future__ import annotations

import msgspec

from serve_app.backends.dialects.openai_reply import decode_chunk
from serve_app.core.replay import events_of
from serve_app.core.types import Chunk


def as_stream(whole: Chunk) -> list[Chunk]:
    """Per choice all that it says and its end, then the usage.

    Args:
        whole: its `raw` is a `chat.completion`.
    """
    chunks = [decode_chunk(event) for event in events_of(whole.raw)]
    if whole.usage is not None:
        head = {
            "id": whole.id,
            "object": "chat.completion.chunk",
            "created": whole.created,
            "model": whole.model,
        }
        event = msgspec.json.encode({**head, "choices": [], "usage": whole.usage})
        chunks.append(decode_chunk(event))
    return chunks

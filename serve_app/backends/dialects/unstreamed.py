"""A whole reply where a stream was asked for, as the chunks of one: some providers never stream."""

from __future__ import annotations

from typing import Any

import msgspec

from serve_app.backends.dialects.openai_reply import decode_chunk
from serve_app.core.types import Chunk, ChunkChoice

Json = dict[str, Any]

_decode = msgspec.json.Decoder(Json).decode
_encode = msgspec.json.encode


def as_stream(whole: Chunk) -> list[Chunk]:
    """Per choice all that it says and its end, then the usage.

    Args:
        whole: its `raw` is a `chat.completion`.
    """
    value = _decode(whole.raw)
    head = {
        "id": whole.id,
        "object": "chat.completion.chunk",
        "created": whole.created,
        "model": whole.model,
    }
    events: list[Json] = []
    for known, choice in zip(whole.choices, value["choices"], strict=True):
        events += [{**head, "choices": [part]} for part in _parts(known, choice)]
    if whole.usage is not None:
        events.append({**head, "choices": [], "usage": value["usage"]})
    return [decode_chunk(_encode(event)) for event in events]


def _parts(known: ChunkChoice, choice: Json) -> tuple[Json, Json]:
    delta = {name: said for name, said in choice["message"].items() if said is not None}
    for at, call in enumerate(delta.get("tool_calls") or ()):
        call["index"] = at
    says = {
        "index": known.index,
        "delta": delta,
        "logprobs": choice.get("logprobs"),
        "finish_reason": None,
    }
    # A whole reply is over, whether it says why or not.
    ends = {"index": known.index, "delta": {}, "finish_reason": known.finish_reason or "stop"}
    return says, ends

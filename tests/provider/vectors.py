"""Embeddings that a text always gets."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any

DIMENSIONS = 8


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A unit-length-free vector of a text: equal texts, equal vectors; values -1 to 1."""
    values: list[float] = []
    round_ = 0
    while len(values) < dimensions:
        digest = hashlib.sha256(f"{round_} {text}".encode()).digest()
        values += [byte / 128 - 1 for byte in digest]
        round_ += 1
    return values[:dimensions]


def embeddings(body: dict[str, Any]) -> bytes:
    """OpenAI's list of embeddings, in the order of `input`."""
    texts = inputs(body["input"])
    dimensions = body.get("dimensions") or DIMENSIONS
    as_text = body.get("encoding_format") == "base64"
    tokens = sum(len(text.split()) for text in texts)
    data = []
    for index, text in enumerate(texts):
        made = vector(text, dimensions)
        packed: object = _packed(made) if as_text else made
        data.append({"object": "embedding", "index": index, "embedding": packed})
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    answer = {"object": "list", "data": data, "model": body["model"], "usage": usage}
    return json.dumps(answer, separators=(",", ":")).encode()


def inputs(value: Any) -> list[str]:
    """The texts of an `input`: a text, texts, or token numbers (as the text of their list)."""
    if isinstance(value, str):
        return [value]
    if value and isinstance(value[0], int):
        return [str(value)]
    return [item if isinstance(item, str) else str(item) for item in value]


def _packed(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()

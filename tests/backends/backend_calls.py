"""Requests as tests ask them, and answers as tests read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from serve_app.backends.base import AttemptFailed, Backend, Batches, Call
from serve_app.backends.hosted import Hosted
from serve_app.core.plan import Candidate, Plan
from serve_app.core.types import ChatParams, ChatRequest, Chunk

KEY = "sk-test-0123456789abcdef"

MakeHosted = Callable[..., Hosted]
"""`make_hosted("name", idle_s=0.2)`: a backend that is closed after the test."""

TEXT = "hello dear wörld 世界"
ANSWER = f"You said: {TEXT}"


def chat(model: str = "auto", text: str = TEXT, **fields: Any) -> ChatRequest:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    raw = msgspec.json.encode(body)
    return ChatRequest(
        fields=msgspec.json.decode(raw, type=dict[str, Raw]),
        params=msgspec.json.decode(raw, type=ChatParams),
    )


def call(model: str, *, timeout_s: float = 20.0, **fields: Any) -> Call:
    request = chat(model, **fields)
    return Call(
        backend="test",
        model=model,
        body=request.body(),
        stream=request.streaming,
        request_id="req-1",
        timeout_s=timeout_s,
        choices=request.params.n or 1,
    )


def plan(*names: str) -> Plan:
    """A plan of `backend/model` names, each with a larger context; `backend/model+` accepts a
    prefix."""
    pairs = [name.rstrip("+").split("/") for name in names]
    return Plan(
        [
            Candidate(backend, model, "test", 4096 * (at + 1), prefix=name.endswith("+"))
            for at, ((backend, model), name) in enumerate(zip(pairs, names, strict=True))
        ]
    )


async def collect(batches: Batches) -> list[Chunk]:
    return [chunk async for batch in batches for chunk in batch]


async def run(backend: Backend, model: str, **fields: Any) -> list[Chunk]:
    return await collect(backend.run(call(model, **fields)))


def text_of(chunks: list[Chunk], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


async def fail(backend: Backend, model: str, **fields: Any) -> AttemptFailed:
    """The failure of a call that must fail."""
    with pytest.raises(AttemptFailed) as caught:
        await run(backend, model, **fields)
    return caught.value

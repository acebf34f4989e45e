"""Talks with the scripted provider in a dialect: canonical requests in, what came back out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from backend_calls import KEY, collect

from serve_app.backends.base import Call
from serve_app.backends.dialects.choice import dialect_of
from serve_app.backends.hosted import Hosted
from serve_app.backends.keys import ProviderKeys
from serve_app.config.backend_settings import HostedBackend
from serve_app.core.clock import SystemClock
from serve_app.core.types import Chunk

Json = dict[str, Any]

QUESTION = [{"role": "user", "content": "hello dear wörld 世界"}]
ANSWER = "You said: hello dear wörld 世界"

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def backend(kind: str, base_url: str, **more: Any) -> HostedBackend:
    """Settings of a backend of any model."""
    models = [{"id": "any", "context": 100_000, "max_output": 64_000}]
    given = {"name": "test", "kind": kind, "base_url": base_url, "models": models}
    return HostedBackend.model_validate({**given, "api_key_env": "TEST_KEY", **more})


def a_call(
    model: str, messages: list[Json], *, prefix: str = "", endpoint: str = "chat", **fields: Any
) -> Call:
    body = {"model": model, "messages": messages, **fields}
    if endpoint == "embeddings":
        del body["messages"]
    return Call(
        backend="test",
        model=model,
        body=msgspec.json.encode(body),
        stream=fields.get("stream", False),
        request_id="req-1",
        timeout_s=20.0,
        choices=fields.get("n", 1),
        prefix=prefix,
        endpoint="embeddings" if endpoint == "embeddings" else "chat",
    )


class Said:
    """What came back, whole or put together from its stream."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self.chunks = list(chunks)
        self.finish: str | None = None
        self.message: Json = {}
        self.logprobs: list[Json] = []
        for chunk in self.chunks:
            assert_raw_says_the_same(chunk)
            for choice in msgspec.json.decode(chunk.raw)["choices"]:
                self.finish = choice["finish_reason"] or self.finish
                self._add(choice.get("delta") or choice.get("message") or {})
                self.logprobs += (choice["logprobs"] or {}).get("content") or []

    def _add(self, said: Json) -> None:
        for name, value in said.items():
            if name == "tool_calls":
                for at, call in enumerate(value or ()):
                    self._add_call(call.get("index", at), call)
            elif name == "reasoning_details":
                self.message.setdefault(name, []).extend(value)
            elif isinstance(value, str) and name != "role":
                self.message[name] = self.message.get(name, "") + value
            elif value is not None:
                self.message[name] = value

    def _add_call(self, at: int, call: Json) -> None:
        calls = self.message.setdefault("tool_calls", [])
        if at == len(calls):
            calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
        calls[at]["id"] += call.get("id", "")
        for name, value in call["function"].items():
            calls[at]["function"][name] += value
        if "extra_content" in call:
            calls[at]["extra_content"] = call["extra_content"]

    @property
    def usage(self) -> Json:
        return next(msgspec.to_builtins(c.usage) for c in self.chunks if c.usage is not None)

    @property
    def calls(self) -> list[Json]:
        calls: list[Json] = self.message["tool_calls"]
        return calls


def assert_raw_says_the_same(chunk: Chunk) -> None:
    """The typed view and the JSON that goes out do not differ in what the view knows."""
    value = msgspec.json.decode(chunk.raw)
    kind = "chat.completion" if chunk.whole else "chat.completion.chunk"
    assert (value["object"], value["id"], value["model"]) == (kind, chunk.id, chunk.model)
    for choice in value["choices"]:
        said = choice.pop("message", None)
        if said is not None:
            choice["delta"] = said
            for at, call in enumerate(said.get("tool_calls") or ()):
                call["index"] = at
    seen = msgspec.convert(value, Chunk)
    for got, typed in zip(seen.choices, chunk.choices, strict=True):
        assert msgspec.to_builtins(got.delta) == msgspec.to_builtins(typed.delta)
        assert (got.index, got.finish_reason) == (typed.index, typed.finish_reason)
    assert seen.usage == chunk.usage


class Talk:
    """A hosted backend to talk to."""

    def __init__(self, settings: HostedBackend) -> None:
        clock = SystemClock()
        keys = ProviderKeys(settings, {"TEST_KEY": KEY}, clock)
        self.hosted = Hosted(settings, keys, dialect_of(settings), clock)

    async def ask(self, model: str, messages: list[Json] | None = None, **more: Any) -> Said:
        return Said(await self.chunks(model, messages, **more))

    async def chunks(
        self, model: str, messages: list[Json] | None = None, **more: Any
    ) -> list[Chunk]:
        call = a_call(model, QUESTION if messages is None else messages, **more)
        return await collect(self.hosted.run(call))


def answered(said: Said, results: list[str]) -> list[Json]:
    """The question, a reply's message as a client sends it back, and the results of its calls."""
    tools = [
        {"role": "tool", "tool_call_id": call["id"], "content": result}
        for call, result in zip(said.calls, results, strict=True)
    ]
    return [*QUESTION, {"role": "assistant", **said.message}, *tools]

"""The local model as its callers meet it: through a handle of its deployment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator

from serve_app.backends.local_vllm import LocalVLLM
from serve_app.config.backend_settings import LocalBackend, ModelSettings
from serve_app.deployments.carriers import ModelLoad, ModelTransport

MODEL = "smollm2-135m-instruct"


class Client:
    """Speaks to a `LocalModel` deployment."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._health = handle.options(method_name="health_raw")
        self._chat = handle.options(method_name="chat_raw", stream=True)
        self._embed = handle.options(method_name="embed_raw", stream=True)
        self._handle = handle

    @asynccontextmanager
    async def open(self, body: bytes) -> AsyncIterator[DeploymentResponseGenerator]:
        """Pieces of an answer; leaving early cancels it."""
        pieces = self._chat.remote(body, "req-1")
        try:
            yield pieces
        finally:
            pieces.cancel()

    async def pieces(self, body: bytes) -> list[bytes]:
        async with self.open(body) as pieces:
            return [piece async for piece in pieces]

    async def json(self, body: bytes) -> Any:
        """The one JSON body that answers."""
        return json.loads(b"".join(await self.pieces(body)))

    async def events(self, body: bytes) -> list[Any]:
        """The SSE events of a complete stream, decoded, without the last `[DONE]`."""
        text = b"".join(await self.pieces(body)).decode()
        lines = [event.removeprefix("data: ") for event in text.split("\n\n")]
        assert lines[-2:] == ["[DONE]", ""]
        return [json.loads(line) for line in lines[:-2]]

    async def embed(self, body: bytes) -> Any:
        """The one JSON body that answers a request for embeddings."""
        pieces = self._embed.remote(body, "req-1")
        return json.loads(b"".join([piece async for piece in pieces]))

    def backend(self) -> LocalVLLM:
        """The model as the gateway reaches it."""
        settings = LocalBackend(
            name="local",
            kind="local",
            app="model",
            tokenizer="embedded",
            models=[ModelSettings(id=MODEL, context=2048)],
        )
        return LocalVLLM(settings, ModelTransport(lambda: self._handle, "the model"))

    async def health(self) -> Any:
        return json.loads(await self._health.remote())

    async def load(self) -> ModelLoad:
        """As the metrics hear of it."""
        load = await ModelTransport(lambda: self._handle, "the model").load()
        assert load is not None
        return load

    async def reaches(self, running: int, *, limit_s: float = 60) -> None:
        """Wait until so many requests are in vLLM."""
        async with asyncio.timeout(limit_s):
            while (await self.health())["running"] != running:
                await asyncio.sleep(0.01)


def chat(text: str, **fields: Any) -> bytes:
    messages = [{"role": "user", "content": text}]
    body = {"model": MODEL, "messages": messages, "temperature": 0, "max_tokens": 32}
    return json.dumps(body | fields).encode()


def embedding(given: Any, **fields: Any) -> bytes:
    return json.dumps({"model": MODEL, "input": given} | fields).encode()


def endless(**fields: Any) -> bytes:
    """A request that keeps the engine busy until its context is full."""
    return chat("Tell me a long story.", max_tokens=1900, ignore_eos=True, **fields)


def said(events: list[Any]) -> str:
    deltas = [choice["delta"] for event in events for choice in event["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)

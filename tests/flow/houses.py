"""A whole gateway in this process, without Ray: the house behind uvicorn on a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp

from serve_app.compose import House
from serve_app.config.policy import Policy

MODELS = ["ok", "second", "strong", "small"]


class Flow:
    """A running house with a client for it."""

    def __init__(self, house: House, port: int, http: aiohttp.ClientSession) -> None:
        self.house = house
        self.port = port
        self.http = http

    async def chat(self, text: str = "hello", **fields: Any) -> tuple[int, Any, Any]:
        """Status, headers and body (JSON, or the list of event payloads)."""
        body = {"model": "ok", "messages": [{"role": "user", "content": text}], **fields}
        async with self.http.post("/v1/chat/completions", json=body) as answer:
            if answer.content_type == "text/event-stream":
                lines = (await answer.text()).split("\n")
                events = [line[6:] for line in lines if line.startswith("data: ")]
                return answer.status, answer.headers, events
            return answer.status, answer.headers, await answer.json()

    async def agent(self, **fields: Any) -> tuple[int, Any]:
        async with self.http.post("/agent/chat", json=fields) as answer:
            return answer.status, await answer.json()


def arguments(base_url: str, **more: Any) -> dict[str, Any]:
    models = [{"id": name, "context": 400 if name == "small" else 8000} for name in MODELS]
    timeouts = {"connect_s": 2, "first_token_s": 2, "idle_s": 2, "total_s": 20}
    backend = {"name": "p", "base_url": base_url, "models": models, "timeouts": timeouts}
    return {"profile": "flow", "backends": [backend], "redis": {"timeout_ms": 5000}, **more}


def policy(**more: Any) -> Policy:
    routing = {"cheap": ["p/ok"], "default": ["p/second"], "strong": ["p/strong"]}
    prices = {"ok": {"input": 1_000_000, "output": 2_000_000}}
    sections = {"admission": {"require_key": False}, "routing": routing, "prices": prices}
    return Policy.model_validate({**sections, **more})


Open = Callable[..., Any]

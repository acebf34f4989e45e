"""A model at the end of a transport that answers when it is told, and remembers what it read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from serve_app.backends.base import Health
from serve_app.core.trace import Trace
from serve_app.core.types import Endpoint


class Talker:
    """Answers `TEXT!` to a last message `TEXT`; one that begins with `wait` only once `go_on` is
    set."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.bodies: list[dict[str, Any]] = []
        self.came = asyncio.Condition()

    async def open(
        self, body: bytes, request_id: str, endpoint: Endpoint, trace: Trace | None
    ) -> AsyncGenerator[bytes, None]:
        asked = json.loads(body)
        self.bodies.append(asked)
        async with self.came:
            self.came.notify_all()
        text = asked["messages"][-1]["content"]
        if asked["messages"][0]["content"].startswith("Sum up"):
            text = "all summed up"
        if text.startswith("wait"):
            await self.go_on.wait()
        for piece in _answer(f"{text}!", streams=asked.get("stream", False)):
            yield piece

    async def until_asked(self, count: int) -> None:
        async with asyncio.timeout(20), self.came:
            await self.came.wait_for(lambda: len(self.bodies) >= count)

    def read(self, number: int) -> list[str]:
        """The texts of a request, in order."""
        return [str(message["content"]) for message in self.bodies[number]["messages"]]

    async def health(self) -> Health:
        return Health(True, "up")


def _answer(text: str, *, streams: bool) -> list[bytes]:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    message = {"role": "assistant", "content": text}
    if not streams:
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return [json.dumps({"choices": [choice], "usage": usage}).encode()]
    events = [
        {"choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": usage},
    ]
    return [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events] + [
        b"data: [DONE]\n\n"
    ]

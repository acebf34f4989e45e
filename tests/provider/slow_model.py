"""A local model at the end of a transport: says a word, takes its time, counts who is inside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

from serve_app.backends.base import Health
from serve_app.core.trace import Trace
from serve_app.core.types import Endpoint

BODY = b'{"choices":[{"index":0,"message":{"content":"word"},"finish_reason":"stop"}]}'


class SlowModel:
    """Answers whole, after `takes_s`, or when it is told `go_on`.

    Args:
        takes_s: seconds an answer takes; None: until `go_on` is set.
    """

    def __init__(self, takes_s: float | None = None) -> None:
        self.takes_s = takes_s
        self.go_on = asyncio.Event()
        self.asked: list[str] = []
        """Last texts of the requests, in the order in which their turn came."""
        self.running = 0
        self.most_running = 0

    async def open(
        self, body: bytes, request_id: str, endpoint: Endpoint, trace: Trace | None
    ) -> AsyncGenerator[bytes, None]:
        self.asked.append(json.loads(body)["messages"][-1]["content"])
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.takes_s is None:
                await self.go_on.wait()
            else:
                await asyncio.sleep(self.takes_s)
            yield BODY
        finally:
            self.running -= 1

    async def health(self) -> Health:
        return Health(True, "up")

"""A small Serve application in the gateway's place: health routes, a slow stream, a crash."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from ray import serve

Send = Callable[[dict[str, Any]], Awaitable[None]]


@serve.deployment(max_ongoing_requests=100)
@serve.ingress()
class Gateway:
    """Answers with its policy, which `reconfigure` replaces."""

    def __init__(self) -> None:
        self._policy: dict[str, Any] = {}

    def reconfigure(self, policy: dict[str, Any]) -> None:
        self._policy = policy

    async def __serve_build_asgi_app__(self) -> Callable[..., Awaitable[None]]:
        async def app(
            scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send
        ) -> None:
            if scope["type"] == "lifespan":
                await _lifespan(receive, send)
            elif scope["path"] == "/slow":
                await _slow(send)
            else:
                await self._view(scope["path"], send)

        return app

    async def _view(self, path: str, send: Send) -> None:
        is_draining = bool(self._policy.get("draining"))
        status = 503 if is_draining and path == "/health/readiness" else 200
        view = {"path": path, "pid": os.getpid(), "policy": self._policy}
        await _start(send, status)
        await send({"type": "http.response.body", "body": json.dumps(view).encode()})


async def _lifespan(receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


async def _slow(send: Send) -> None:
    await _start(send, 200)
    for number in range(30):
        await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": b"end\n"})


async def _start(send: Send, status: int) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json")],
        }
    )


def build(_args: dict[str, Any]) -> serve.Application:
    return Gateway.bind()


def build_broken(_args: dict[str, Any]) -> serve.Application:
    raise RuntimeError("this application is broken on purpose")

"""Small ASGI applications of the tests: asked directly, or as a server in a thread."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import uvicorn

START_LIMIT_S = 20.0


class App(Protocol):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def close(self) -> None: ...


A = TypeVar("A", bound=App)


async def call(
    app: App, method: str, path: str, *, key: str = "a-key", body: bytes = b""
) -> tuple[int, Any]:
    """One request without a network: status and JSON."""
    path, _, query = path.partition("?")
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode())] if key else []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": headers,
    }
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(part["body"] for part in sent[1:]))


@contextmanager
def serving(make: Callable[[], Awaitable[A]]) -> Iterator[tuple[A, str]]:
    """An application, made in the loop that serves it, behind a port of its own; its address."""
    ready = threading.Event()
    made: list[Any] = []

    async def run() -> None:
        app = await make()
        config = uvicorn.Config(app, port=0, lifespan="off", log_level="error")
        server = uvicorn.Server(config)
        made.extend((app, server))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        made.append(server.servers[0].sockets[0].getsockname()[1])
        ready.set()
        await serving
        await app.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(START_LIMIT_S)
        yield made[0], f"http://127.0.0.1:{made[2]}"
    finally:
        if len(made) > 1:
            made[1].should_exit = True
        thread.join()

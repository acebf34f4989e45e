"""A gateway for a browser: a house without Ray behind uvicorn, in a thread with its own loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import uvicorn

from serve_app.compose import House, Maker, Stages
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs
from serve_app.core.clock import Clock
from serve_app.ingress.http import Receive, Scope, Send

Plan = tuple[dict[str, Any], dict[str, Any]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ADMIN_KEY = "admin-of-the-console-page"
VIEWER_KEY = "viewer-of-the-console-page"
PRICE = {"input": 400_000, "output": 1_600_000}
MODELS = ("quick", "steady", "shaky")


class Gateway:
    """A running gateway. `url` is its address; its console is at `/console`.

    Args:
        plan: structure and policy; by default one backend, `cloud`, with a few models.
        clock: None: the machine's.
    """

    def __init__(
        self,
        redis_url: str,
        provider_url: str,
        folder: Path,
        plan: Plan | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._environ = {
            "SERVE_APP_REDIS_URL": redis_url,
            "SERVE_APP_DATA_DIR": str(folder),
            "SERVE_APP_ADMIN_KEY": ADMIN_KEY,
            "SERVE_APP_VIEWER_KEY": VIEWER_KEY,
        }
        self._structure, self._policy = plan or (_structure(provider_url), _policy())
        self._clock = clock
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._serves: Future[None] = Future()
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._run, name="gateway")

    def start(self) -> None:
        """
        Raises:
            Exception: what kept it from starting.
        """
        self._thread.start()
        self._serves.result(timeout=30)

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
            self._server.force_exit = True
        self._thread.join(timeout=30)
        self._listener.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # the test that waits for the gateway is to see it
            if not self._serves.done():
                self._serves.set_exception(error)
            raise

    async def _serve(self) -> None:
        maker = Maker(GatewayArgs.model_validate(self._structure), self._environ)
        maker.clock = self._clock or maker.clock
        policy = Policy.model_validate(self._policy)
        house = House(maker, policy, Stages(), {}, "r1", names_requests=True)
        house.start()
        app = ended_when_left(house.app)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        self._serves.set_result(None)
        try:
            await self._server.serve([self._listener])
        finally:
            await house.close()


def ended_when_left(app: App) -> App:
    """As Ray Serve has it: a request whose caller left is cancelled."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        heard: asyncio.Queue[Any] = asyncio.Queue()

        async def listen() -> None:
            while (message := await receive())["type"] != "http.disconnect":
                heard.put_nowait(message)
            heard.put_nowait(message)
            serving.cancel()

        serving = asyncio.ensure_future(app(scope, heard.get, send))
        listening = asyncio.create_task(listen())
        try:
            await asyncio.wait([serving])
        finally:
            listening.cancel()
        if not serving.cancelled():
            serving.result()

    return served


@contextlib.contextmanager
def opened(
    redis_url: str,
    provider_url: str,
    folder: Path,
    plan: Plan | None = None,
    clock: Clock | None = None,
) -> Iterator[Gateway]:
    """A gateway that serves until the end of the block; see `Gateway`."""
    gateway = Gateway(redis_url, provider_url, folder, plan, clock)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def _structure(provider_url: str) -> dict[str, Any]:
    models = [{"id": name, "context": 8000} for name in MODELS]
    backend = {"name": "cloud", "base_url": provider_url, "models": models}
    return {
        "profile": "console",
        "backends": [backend],
        "redis": {"timeout_ms": 5000},
        "placement": {"workers": "fused"},
    }


def _policy() -> dict[str, Any]:
    return {
        "routing": {"cheap": ["cloud/quick"], "default": ["cloud/steady"]},
        "prices": dict.fromkeys(MODELS, PRICE),
        "cache": {"semantic": {"enabled": True, "verify_share": 0.0}},
    }

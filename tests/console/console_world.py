"""A whole gateway with its console, without Ray, and a browser's manners in front of it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
from flow.houses import arguments, policy

from serve_app.compose import House, Maker, Stages
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs

ADMIN_KEY = "the-admin-key"
VIEWER_KEY = "the-viewer-key"
KEYS = {"SERVE_APP_ADMIN_KEY": ADMIN_KEY, "SERVE_APP_VIEWER_KEY": VIEWER_KEY}

Open = Callable[..., AbstractAsyncContextManager["Desk"]]
"""Opens houses for the tests of the console."""


class Desk:
    """Somebody at a browser: cookies are kept, the page's header is sent with changes."""

    def __init__(self, house: House, url: str, http: aiohttp.ClientSession) -> None:
        self.house = house
        self.url = url
        self.http = http
        self.csrf = ""

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.http.get(path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """A change, as the page makes it; `csrf=""` leaves its header out."""
        csrf = headers.pop("csrf", self.csrf)
        named = {"x-serve-app-csrf": csrf} if csrf else {}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.request(method, path, json=body, headers=named) as answer:
            return answer.status, await answer.json()

    async def login(self, key: str = ADMIN_KEY) -> Any:
        status, told = await self.send("POST", "/console/api/login", {"key": key})
        assert status == 200, told
        self.csrf = told["csrf"]
        return told

    async def code(self, method: str, path: str, body: Any = None, **headers: str) -> str:
        """The code of the error that a request is answered with."""
        _, told = await self.send(method, path, body, **headers)
        return str(told["error"]["code"])


@asynccontextmanager
async def opened(
    redis_url: str,
    provider_url: str,
    folder: Path,
    *,
    environ: dict[str, str] | None = None,
    rules: Policy | None = None,
    args: dict[str, Any] | None = None,
) -> AsyncIterator[Desk]:
    """A running house, and somebody at it who has not logged in.

    Args:
        folder: for what it stores.
        environ: its keys; None: one of an admin and one of a viewer.
    """
    own = {"SERVE_APP_REDIS_URL": redis_url, "SERVE_APP_DATA_DIR": str(folder)}
    known = {**os.environ, **own, **(KEYS if environ is None else environ)}
    settings = GatewayArgs.model_validate(arguments(provider_url, **(args or {})))
    house = House(
        Maker(settings, known), rules or policy(), Stages(), {}, "r1", names_requests=True
    )
    house.start()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(house.app, log_level="warning"))
        serving = asyncio.create_task(server.serve([listener]))
        cookies = aiohttp.CookieJar(unsafe=True)  # of an address without a name, too
        async with aiohttp.ClientSession(url, cookie_jar=cookies) as http:
            try:
                yield Desk(house, url, http)
            finally:
                await http.close()
                server.should_exit = True
                await asyncio.wait_for(serving, 20)
                await house.close()


async def until(told: Callable[[], Any], limit_s: float = 30.0) -> Any:
    """What an async function says, as soon as it is true."""
    async with asyncio.timeout(limit_s):
        while not (said := await told()):
            await asyncio.sleep(0.1)
    return said

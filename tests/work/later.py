"""A gateway with a worker in this process, over HTTP: what callers of background tasks do."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import uvicorn

from serve_app.compose import House, Maker, Stages
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs

PRICE = {"ok": {"input": 1_000_000, "output": 2_000_000}}


class Later:
    """A running house with a client for it."""

    def __init__(self, house: House, http: aiohttp.ClientSession) -> None:
        self.house = house
        self.http = http

    async def submit(
        self, path: str = "/agent/async", /, headers: dict[str, str] | None = None, **body: Any
    ) -> tuple[int, Any]:
        async with self.http.post(path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def submitted(self, message: str = "hello", **more: Any) -> str:
        """The id of a new task."""
        status, answer = await self.submit(message=message, model="ok", **more)
        assert status == 202, answer
        return str(answer["task_id"])

    async def result(
        self, task_id: str, wait_s: int = 0, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        query = {"wait_s": str(wait_s)} if wait_s else {}
        path = f"/agent/result/{task_id}"
        async with self.http.get(path, params=query, headers=headers) as answer:
            return answer.status, await answer.json()

    async def ended(self, task_id: str) -> Any:
        """The task when it has ended."""
        status, found = await self.result(task_id, wait_s=20)
        assert status == 200, found
        assert found["status"] in ("succeeded", "failed", "dead", "cancelled"), found
        return found

    async def cancel(self, task_id: str) -> Any:
        async with self.http.post(f"/agent/tasks/{task_id}/cancel") as answer:
            return await answer.json()

    async def events(self, task_id: str, after: str = "") -> list[tuple[str, str, Any]]:
        """Id, name and data of every event until the stream ends."""
        headers = {"last-event-id": after} if after else {}
        async with self.http.get(f"/agent/events/{task_id}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return parsed(await answer.text())


def parsed(stream: str) -> list[tuple[str, str, Any]]:
    found = []
    for block in stream.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line[1:])
        if "id" in lines:
            found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found


async def until(condition: Callable[[], Awaitable[Any] | Any], limit_s: float = 20) -> None:
    async with asyncio.timeout(limit_s):
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.02)


def policy(**more: Any) -> Policy:
    routing = {"cheap": ["p/ok"], "default": ["p/second"], "strong": ["p/strong"]}
    tasks = {"backoff_s": 0.05, "soft_limit_s": 10, **more.pop("tasks", {})}
    sections = {"admission": {"require_key": False}, "routing": routing, "prices": PRICE}
    return Policy.model_validate({**sections, "tasks": tasks, **more})


def settings(base_url: str, abilities: Sequence[str] = (), **more: Any) -> GatewayArgs:
    names = ("ok", "second", "strong")
    models = [{"id": name, "context": 8000, "capabilities": [*abilities]} for name in names]
    timeouts = {"connect_s": 2, "first_token_s": 5, "idle_s": 5, "total_s": 20}
    backend = {"name": "p", "base_url": base_url, "models": models, "timeouts": timeouts}
    return GatewayArgs.model_validate(
        {
            "profile": "later",
            "backends": [backend],
            "redis": {"timeout_ms": 5000},
            **more,
            "tasks": {"lease_s": 1.5, "concurrency": 8, "grace_s": 0.2, **more.get("tasks", {})},
        }
    )


@asynccontextmanager
async def opened(
    redis_url: str,
    base_url: str,
    *,
    args: dict[str, Any] | None = None,
    abilities: Sequence[str] = (),
    rules: Policy | None = None,
    replica: str = "r1",
    environ: dict[str, str] | None = None,
) -> AsyncIterator[Later]:
    """A house with the given structure and policy."""
    env = {
        **os.environ,
        "SERVE_APP_REDIS_URL": redis_url,
        "SERVE_APP_RECORDS_URL": "none",
        **(environ or {}),
    }
    maker = Maker(settings(base_url, abilities, **(args or {})), env)
    house = House(maker, rules or policy(), Stages(), {}, replica, names_requests=True)
    house.start()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(house.app, log_level="warning"))
        serving = asyncio.create_task(server.serve([listener]))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            try:
                yield Later(house, http)
            finally:
                await http.close()
                server.should_exit = True
                await asyncio.wait_for(serving, 20)
                await house.close()

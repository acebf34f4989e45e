"""The cache's routes over a real cache, as a server in a thread or called directly."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import uvicorn

from serve_app.admission.auth import KeyRing
from serve_app.cache.stage import CacheStage
from serve_app.config.policy import AdmissionPolicy, KeyPolicy, Policy
from serve_app.config.structure import CacheStructure, RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.errors import GatewayError
from serve_app.core.kept import Entry, Fill, Lookup
from serve_app.core.types import ChatRequest, Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.pantry import PantryRoutes
from serve_app.store.client import Store


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


KEYS = {"a-key": "acme", "b-key": "other", "boss": "ops"}

POLICY = Policy(
    admission=AdmissionPolicy(
        keys=[KeyPolicy(sha256=digest(key), tenant=tenant) for key, tenant in KEYS.items()],
        admin_keys=[digest("boss")],
    )
)


class World:
    """One replica's cache and its routes.

    Args:
        url: of the Redis.
        settle_s: see `PantryRoutes`.
    """

    def __init__(self, url: str, *, settle_s: float = 0.0) -> None:
        self._store = Store(RedisSettings(timeout_ms=5000), SystemClock(), url)
        self.cache = CacheStage(
            POLICY.cache, CacheStructure(), self._store, SystemClock(), random.Random(1)
        )
        self.routes = PantryRoutes(
            identify=self._identify,
            is_admin=self._is_admin,
            cache=self.cache,
            warm=self._warm,
            max_body_bytes=100_000,
            settle_s=settle_s,
        )
        self.asked: list[ChatRequest] = []

    async def close(self) -> None:
        await self.cache.close()
        await self._store.close()

    async def keep(self, fingerprint: str, tenant: str, **about: Any) -> None:
        entry = Entry(False, b"{}", "alpha", "mini", 1, 2, 3, time.time() - 60, 0.0, **about)
        assert await self.cache.fill([Fill(fingerprint, entry, tenant)]) == [True]

    async def has(self, fingerprint: str, tenant: str) -> bool:
        [found] = await self.cache.lookup([Lookup(fingerprint, tenant)])
        return found.entry is not None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As the gateway's application would: route, and tell of errors."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        handlers = {
            ("DELETE", "/v1/cache"): self.routes.purge,
            ("GET", "/v1/cache/top"): self.routes.top,
            ("POST", "/v1/cache/warm"): self.routes.warm,
        }
        try:
            await handlers[exchange.method, exchange.path](exchange)
        except GatewayError as error:
            await exchange.problem(error)

    async def _identify(self, exchange: Exchange) -> Identity:
        return KeyRing(POLICY.admission).identify(exchange.header(b"authorization"), None)

    def _is_admin(self, exchange: Exchange) -> bool:
        given = (exchange.header(b"authorization") or "").removeprefix("Bearer ")
        return digest(given) in POLICY.admission.admin_keys

    async def _warm(
        self, exchange: Exchange, request: ChatRequest, answer: str | None, tags: tuple[str, ...]
    ) -> tuple[str, bool]:
        identity = await self._identify(exchange)
        fingerprint = hashlib.sha256(request.body()).hexdigest()
        if await self.has(fingerprint, identity.tenant):
            return fingerprint, False
        self.asked.append(request)
        payload = (answer or "asked now").encode()
        entry = Entry(False, payload, "warm", "mini", 1, 1, 0, time.time(), 0.0, tags=tags)
        [kept] = await self.cache.fill([Fill(fingerprint, entry, identity.tenant)])
        return fingerprint, kept


async def call(
    world: World, method: str, path: str, *, key: str = "a-key", body: bytes = b""
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
    await world(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(part["body"] for part in sent[1:]))


@contextmanager
def served(url: str) -> Iterator[tuple[World, str]]:
    """A world behind a port of its own, and its address."""
    ready = threading.Event()
    made: list[Any] = []

    async def run() -> None:
        world = World(url)
        config = uvicorn.Config(world, port=0, lifespan="off", log_level="error")
        server = uvicorn.Server(config)
        made.extend((world, server))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        made.append(server.servers[0].sockets[0].getsockname()[1])
        ready.set()
        await serving
        await world.close()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield made[0], f"http://127.0.0.1:{made[2]}"
    finally:
        made[1].should_exit = True
        thread.join()

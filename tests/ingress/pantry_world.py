"""The cache's routes over a real cache, as a server in a thread or called directly."""

from __future__ import annotations

import hashlib
import random
import time
from contextlib import AbstractContextManager
from typing import Any

from ingress.asgi_world import call, serving

from serve_app.admission.auth import KeyRing
from serve_app.admission.directory import KeyDirectory
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

__all__ = ["World", "call", "served"]


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


ADMIN = Identity(user="admin")

KEYS = {"a-key": "acme", "b-key": "other"}

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
        directory = KeyDirectory(self._store, "pantry", SystemClock())
        self._ring = KeyRing(POLICY.admission, directory)
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
        if self._is_admin(exchange):
            return ADMIN
        return self._ring.identify(exchange.header(b"authorization"), None)

    def _is_admin(self, exchange: Exchange) -> bool:
        return self._ring.is_admin(exchange.header(b"authorization"), None)

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


def served(url: str) -> AbstractContextManager[tuple[World, str]]:
    """A world behind a port of its own, and its address."""

    async def make() -> World:
        return World(url)

    return serving(make)

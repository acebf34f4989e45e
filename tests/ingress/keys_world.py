"""The routes of API keys over a real directory, as a server in a thread or called directly."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from typing import Any

from ingress.asgi_world import serving

from serve_app.admission.auth import KeyRing
from serve_app.admission.directory import KeyDirectory
from serve_app.admission.registrar import Registrar
from serve_app.config.policy import AdmissionPolicy, KeyPolicy
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.errors import GatewayError
from serve_app.ingress.http import Exchange
from serve_app.ingress.keys import KeyRoutes
from serve_app.ingress.router import Router
from serve_app.store.client import Store


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


POLICY = AdmissionPolicy(
    keys=[KeyPolicy(sha256=sha256("a-key"), tenant="acme")], admin_keys=[sha256("boss")]
)


class KeysWorld:
    """One replica's keys and their routes."""

    def __init__(self, url: str) -> None:
        settings = RedisSettings(timeout_ms=5000, breaker_open_s=0.05)
        self._store = Store(settings, SystemClock(), url)
        self._directory = KeyDirectory(self._store, "r", SystemClock())
        self.ring = KeyRing(POLICY, self._directory)
        routes = KeyRoutes(admin=self._admin, keys=Registrar(self._directory))
        self._router = Router(routes.routes())

    async def close(self) -> None:
        await self._directory.close()
        await self._store.close()

    def knows(self, key: str) -> bool:
        try:
            return self.ring.find(None, key).record is not None
        except GatewayError:
            return False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As the gateway's application would: route, and tell of errors."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._router.find(exchange).handle(exchange)
        except GatewayError as error:
            await exchange.problem(error)

    def _admin(self, exchange: Exchange) -> str | None:
        return self.ring.admin(exchange.header(b"authorization"), exchange.header(b"x-api-key"))


def served_keys(url: str) -> AbstractContextManager[tuple[KeysWorld, str]]:
    """A world behind a port of its own, and its address."""

    async def make() -> KeysWorld:
        return KeysWorld(url)

    return serving(make)

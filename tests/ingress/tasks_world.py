"""The routes of tasks over a real queue, as a server in a thread or called directly."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager
from typing import Any

from ingress.asgi_world import serving

from serve_app.config.structure import RedisSettings, TaskSettings
from serve_app.config.tasks_policy import TasksPolicy
from serve_app.core.clock import SystemClock
from serve_app.core.errors import GatewayError, Unauthorized
from serve_app.core.types import Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Router
from serve_app.ingress.tasks_admin import TaskRoutes
from serve_app.store.client import Store
from serve_app.tasks.queue import RedisQueue

TENANTS = {"a-key": "acme", "z-key": "zeta", "boss": "admins"}


class TasksWorld:
    """A queue and its routes. Keys: one of each tenant, and an admin's."""

    def __init__(self, url: str) -> None:
        settings = RedisSettings(timeout_ms=5000, breaker_open_s=0.05)
        self._store = Store(settings, SystemClock(), url)
        self.queue = RedisQueue(self._store, TaskSettings(), TasksPolicy(), random.Random(1))
        routes = TaskRoutes(
            identify=self._identify, is_admin=lambda e: _key(e) == "boss", queue=self.queue
        )
        self._router = Router(routes.routes())

    async def close(self) -> None:
        await self._store.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As the gateway's application would: route, and tell of errors."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._router.find(exchange).handle(exchange)
        except GatewayError as error:
            await exchange.problem(error)

    async def _identify(self, exchange: Exchange) -> Identity:
        tenant = TENANTS.get(_key(exchange))
        if tenant is None:
            raise Unauthorized("no such key")
        return Identity(tenant=tenant, user="u")


def _key(exchange: Exchange) -> str:
    return (exchange.header(b"authorization") or "").removeprefix("Bearer ")


def served_tasks(url: str) -> AbstractContextManager[tuple[TasksWorld, str]]:
    """A world behind a port of its own, and its address."""

    async def make() -> TasksWorld:
        return TasksWorld(url)

    return serving(make)

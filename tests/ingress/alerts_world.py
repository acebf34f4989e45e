"""The routes of alerts over a real engine, as a server in a thread."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ingress.asgi_world import serving
from msgspec import Struct

from serve_app.alerts.engine import Engine
from serve_app.config.alerts_policy import AlertsPolicy
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.errors import GatewayError
from serve_app.ingress.alerts import AlertRoutes
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Router
from serve_app.store.client import Store

RULES: list[dict[str, Any]] = [
    {
        "name": "High",
        "expr": "level > 5",
        "severity": "critical",
        "group_by": ["backend"],
        "summary": {"en": "{backend} is at {value}", "zh": "{backend}:{value}"},
    }
]


class Now(Struct):
    at: float
    series: Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]


class Level:
    """A history of one figure that is always the same."""

    async def read(self, since_s: float) -> Sequence[Now]:
        return [Now(time.time(), {"level": {(("backend", "[red]one\x1b[2J"),): 9.0}})]


class Mine:
    is_mine = True


class Nobody:
    def alert_sent(self, channel: str, outcome: str) -> None:
        """Counts nothing."""


class AlertsWorld:
    """An engine that has looked once, and its routes. The key `boss` is an admin's."""

    def __init__(self, url: str, channels: list[dict[str, Any]]) -> None:
        settings = RedisSettings(timeout_ms=5000, breaker_open_s=0.05)
        self._store = Store(settings, SystemClock(), url)
        said = {"shipped": False, "rules": RULES, "channels": channels, "group_wait_s": 0}
        self.engine = Engine(
            AlertsPolicy.model_validate(said),
            [],
            {},
            snapshots=Level(),
            store=self._store,
            turn=Mine(),
            replica="r1",
            clock=SystemClock(),
            environ=os.environ,
            tally=Nobody(),
        )
        routes = AlertRoutes(
            admin=lambda e: "0123" if _key(e) == "boss" else None, engine=self.engine
        )
        self._router = Router(routes.routes())

    async def close(self) -> None:
        await self.engine.close()
        await self._store.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._router.find(exchange).handle(exchange)
        except GatewayError as error:
            await exchange.problem(error)


def _key(exchange: Exchange) -> str:
    return (exchange.header(b"authorization") or "").removeprefix("Bearer ")


def served_alerts(
    url: str, channels: list[dict[str, Any]]
) -> AbstractContextManager[tuple[AlertsWorld, str]]:
    """A world behind a port of its own, and its address."""

    async def make() -> AlertsWorld:
        world = AlertsWorld(url, channels)
        await world.engine.step()
        return world

    return serving(make)

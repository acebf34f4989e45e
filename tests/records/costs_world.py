"""The route of costs over real records, as a server in a thread or called directly."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ingress.asgi_world import serving
from records.records_world import close, opened

from serve_app.core.clock import SystemClock
from serve_app.core.errors import GatewayError, Unauthorized
from serve_app.core.settlement import Settlement
from serve_app.core.types import Identity
from serve_app.ingress.costs import CostsRoute
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Router

TENANTS = {"a-key": "acme", "z-key": "zeta", "boss": "admins"}


def record(folder: Path, settled: Iterable[Settlement]) -> None:
    """Have these in the records of a folder."""
    records = opened(folder)
    records.start()
    records.take([], list(settled))
    close(records)


class CostsWorld:
    """Reports and their route. Keys: one of each tenant, and an admin's."""

    def __init__(self, folder: Path) -> None:
        self._records = opened(folder)
        costs = CostsRoute(
            identify=self._identify,
            is_admin=lambda exchange: _key(exchange) == "boss",
            reports=self._records.reports,
            clock=SystemClock(),
        )
        self._router = Router(costs.routes())

    async def close(self) -> None:
        await self._records.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As the gateway's application would: route, and tell of errors."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._router.find(exchange).handle(exchange)
        except GatewayError as error:
            await exchange.problem(error)

    async def _identify(self, exchange: Exchange) -> Identity:
        key = _key(exchange)
        if key not in TENANTS:
            raise Unauthorized("no such key")
        return Identity(tenant=TENANTS[key], user="ann", key_id="" if key == "a-key" else "k1")


def _key(exchange: Exchange) -> str:
    return (exchange.header(b"authorization") or "").removeprefix("Bearer ")


def served_costs(folder: Path) -> AbstractContextManager[tuple[CostsWorld, str]]:
    """A world behind a port of its own, and its address."""

    async def make() -> CostsWorld:
        return CostsWorld(folder)

    return serving(make)

"""What an installation is like, for the console: models, prices, what is switched on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from msgspec.structs import asdict

import serve_app
from serve_app.admission.caller import CONSOLE
from serve_app.compose.corridor import Corridor
from serve_app.config.backend_settings import HostedBackend, LocalBackend, ModelSettings
from serve_app.config.policy import Policy
from serve_app.core.key_record import KeyRecord
from serve_app.core.types import Identity
from serve_app.ingress.desk import Desk
from serve_app.ingress.house import PolicyState
from serve_app.store.client import StoreUnavailable

_FRESH_S: Final = 30.0
"""How long the list of tenants holds."""
_MOST_TENANTS: Final = 1000


class Overview:
    """
    Args:
        policy: which one holds.
        paths: of all routes.
    """

    def __init__(
        self,
        corridor: Corridor,
        desk: Desk,
        policy: Callable[[], PolicyState],
        paths: Callable[[], Collection[str]],
    ) -> None:
        self._corridor = corridor
        self._desk = desk
        self._policy = policy
        self._paths = paths
        self._tenants: list[str] = []
        self._listed_at = float("-inf")

    async def __call__(self) -> dict[str, Any]:
        corridor, maker = self._corridor, self._corridor.maker
        paths = sorted(set(self._paths()))
        return {
            "version": serve_app.__version__,
            "profile": maker.args.profile,
            "language": maker.args.console.language,
            "at": maker.clock.wall(),
            "policy": asdict(self._policy()),
            "draining": self._desk.draining,
            "redis": await self._redis(),
            "models": [{"id": name, "owner": owner} for name, owner in corridor.names()],
            "backends": [self._backend(backend) for backend in maker.args.backends],
            "features": features(corridor.policy, paths),
            "routes": paths,
            "tenants": await self._known_tenants(),
        }

    async def _redis(self) -> dict[str, Any]:
        try:
            seconds = await self._corridor.maker.store.ping()
        except StoreUnavailable as error:
            return {"ok": False, "detail": str(error)}
        return {"ok": True, "detail": f"answered in {seconds * 1000:.1f} ms"}

    def _backend(self, backend: HostedBackend | LocalBackend) -> dict[str, Any]:
        return {
            "name": backend.name,
            "kind": backend.kind,
            "local": isinstance(backend, LocalBackend),
            "off": self._corridor.maker.catalog.off().get(backend.name, ""),
            "models": [self._model(model) for model in backend.models],
        }

    def _model(self, model: ModelSettings) -> dict[str, Any]:
        price = self._corridor.maker.prices.price(model.id)
        fields = ("id", "kind", "context", "max_output", "capabilities")
        told = {name: getattr(model, name) for name in fields}
        return {**told, "price": None if price is None else price.model_dump()}

    async def _known_tenants(self) -> list[str]:
        now = self._corridor.maker.clock.monotonic()
        if now - self._listed_at > _FRESH_S:
            self._listed_at = now
            records = self._corridor.keys.records()
            named = [key.tenant for key in self._corridor.policy.admission.keys]
            # There may be a hundred thousand keys.
            self._tenants = await asyncio.to_thread(_tenants, records, named)
        return self._tenants


def features(policy: Policy, paths: Collection[str]) -> dict[str, bool]:
    """What is switched on."""
    return {
        "cache": policy.cache.enabled,
        "semantic": policy.cache.enabled and policy.cache.semantic.enabled,
        "filters": policy.filter.enabled,
        "conversations": True,
        "tools": policy.tools.enabled,
        "tasks": True,
        "batches": True,
        "keys_required": policy.admission.require_key,
        "budgets": any(rule.budget is not None for rule in policy.admission.limits),
        "learned_router": policy.routing.learned is not None,
        "costs": "/v1/costs" in paths,
        "trails": "/v1/trails/{request_id}" in paths,
        "alerts": "/v1/alerts" in paths,
    }


def _tenants(records: Iterable[KeyRecord], named: Iterable[str]) -> list[str]:
    always = (Identity().tenant, CONSOLE.identity.tenant)
    found = {record.tenant for record in records} | set(named) | set(always)
    return sorted(found)[:_MOST_TENANTS]

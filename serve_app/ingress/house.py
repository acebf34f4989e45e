"""The routes about the house itself: health and models. They ask no model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from serve_app.backends.base import Backend
from serve_app.core.clock import Clock
from serve_app.core.errors import NotFound
from serve_app.ingress.desk import Desk
from serve_app.ingress.http import JSON, Exchange
from serve_app.ingress.router import Route
from serve_app.routing.catalog import Catalog, ModelName
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable
from serve_app.wire.anthropic.models import model, model_list
from serve_app.wire.openapi.document import document

_CHECK_LIMIT_S = 2.0
_KEEP_S = 1.0


class PolicyState(Struct, frozen=True):
    """Which policy holds, by digest, and what was wrong with the last one that was refused."""

    digest: str
    refused: str = ""
    problem: str = ""


class HouseRoutes:
    """Health and models. Readiness is worked out at most once a second, however many ask."""

    def __init__(
        self,
        *,
        profile: str,
        store: Store,
        backends: Mapping[str, Backend],
        catalog: Catalog,
        names: Callable[[], list[ModelName]],
        policy: Callable[[], PolicyState],
        desk: Desk,
        clock: Clock,
    ) -> None:
        self._profile = profile
        self._store = store
        self._backends = backends
        self._catalog = catalog
        self._names = names
        self._policy = policy
        self._desk = desk
        self._clock = clock
        self._checked: tuple[float, dict[str, Any]] | None = None
        self._document = document()

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1/models", self.models, by_desk=False),
            Route("GET", "/v1/models/{id...}", self.model, by_desk=False),
            Route("GET", "/health/liveness", self.liveness, by_desk=False),
            Route("GET", "/health/readiness", self.readiness, by_desk=False),
            Route("GET", "/openapi.json", self.openapi, by_desk=False),
        ]

    async def liveness(self, exchange: Exchange) -> None:
        """GET /health/liveness: the event loop turns."""
        await exchange.answer_json(200, {"status": "alive"})

    async def readiness(self, exchange: Exchange) -> None:
        """GET /health/readiness: 200 if requests can be answered, else 503; names each check."""
        checks = await self._checks()
        able = checks["redis"]["ok"] and any(b["ok"] for b in checks["backends"].values())
        status = "draining" if self._desk.draining else "ready" if able else "not ready"
        await exchange.answer_json(
            200 if status == "ready" else 503,
            {
                "status": status,
                "profile": self._profile,
                "policy": self._policy(),
                "checks": checks,
            },
        )

    async def models(self, exchange: Exchange) -> None:
        """GET /v1/models, in the form that the caller's client knows."""
        if _is_anthropic(exchange):
            await exchange.answer_json(200, model_list([name for name, _ in self._names()]))
            return
        listed = [_model(name, owner) for name, owner in self._names()]
        await exchange.answer_json(200, {"object": "list", "data": listed})

    async def model(self, exchange: Exchange) -> None:
        """GET /v1/models/{id}."""
        wanted = exchange.params["id"]
        for name, owner in self._names():
            if name == wanted:
                found = model(name) if _is_anthropic(exchange) else _model(name, owner)
                await exchange.answer_json(200, found)
                return
        known = ", ".join(name for name, _ in self._names())
        raise NotFound(
            f"There is no model {wanted[:80]!r}; there are: {known[:2000]}",
            code="model_not_found",
            param="model",
        )

    async def openapi(self, exchange: Exchange) -> None:
        """GET /openapi.json: what all routes take and give."""
        await exchange.answer(200, self._document, [JSON])

    async def _checks(self) -> dict[str, Any]:
        now = self._clock.monotonic()
        if self._checked is None or now - self._checked[0] > _KEEP_S:
            self._checked = (now, await self._check_all())
        return self._checked[1]

    async def _check_all(self) -> dict[str, Any]:
        names = list(self._backends)
        redis, *backends = await asyncio.gather(
            self._check_redis(), *(self._check_backend(name) for name in names)
        )
        checks = dict(zip(names, backends, strict=True))
        for name, why in self._catalog.off().items():
            checks[name] = {"ok": False, "detail": f"off: {why}"}
        return {"redis": redis, "backends": checks}

    async def _check_redis(self) -> dict[str, Any]:
        try:
            seconds = await self._store.ping()
        except StoreUnavailable as error:
            return {"ok": False, "detail": str(error)}
        return {"ok": True, "detail": f"answered in {seconds * 1000:.1f} ms"}

    async def _check_backend(self, name: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_CHECK_LIMIT_S):
                health = await self._backends[name].health()
        except TimeoutError:
            return {"ok": False, "detail": f"no answer within {_CHECK_LIMIT_S:.0f} s"}
        return {"ok": health.ok, "detail": health.detail}


def _model(name: str, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _is_anthropic(exchange: Exchange) -> bool:
    """True for Anthropic's clients, which ask at the same path and say so in a header."""
    return b"anthropic-version" in exchange.headers

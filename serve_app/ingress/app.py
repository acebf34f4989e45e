"""The ASGI application: finds the route, keeps the exchange's end, tells the observer."""

from __future__ import annotations

import asyncio
import logging
import time

from serve_app.core.errors import GatewayError, NotFound
from serve_app.ingress import desk as desks
from serve_app.ingress.desk import Desk
from serve_app.ingress.house import HouseRoutes
from serve_app.ingress.http import Exchange, Receive, Scope, Send
from serve_app.ingress.keys import KeyRoutes
from serve_app.ingress.pantry import PantryRoutes
from serve_app.ingress.problems import wrong_method
from serve_app.ingress.routes import Handler, Route, WorkRoutes
from serve_app.observe.observer import Observer, RequestEnd
from serve_app.wire.anthropic.problem import AnthropicErrors

logger = logging.getLogger(__name__)


class GatewayApp:
    """Routes exchanges. Work goes through the desk; health and metrics always get an answer.

    Args:
        names_requests: False where the server in front sends the `x-request-id` header.
    """

    def __init__(
        self,
        work: WorkRoutes,
        house: HouseRoutes,
        pantry: PantryRoutes,
        keys: KeyRoutes,
        usage: Handler,
        desk: Desk,
        observer: Observer,
        *,
        names_requests: bool,
    ) -> None:
        self._names_requests = names_requests
        self._desk = desk
        self._observer = observer
        self._models = house.model
        self._anthropic = AnthropicErrors()
        self._work: dict[str, Route] = work.table()
        self._keys = keys
        self._office: dict[str, tuple[str, Handler]] = {
            "/v1/usage": ("GET", usage),
            "/v1/cache": ("DELETE", pantry.purge),
            "/v1/cache/top": ("GET", pantry.top),
            "/v1/cache/warm": ("POST", pantry.warm),
        }
        self._house: dict[str, Handler] = {
            "/v1/models": house.models,
            "/health/liveness": house.liveness,
            "/health/readiness": house.readiness,
            "/metrics": house.metrics,
            "/openapi.json": house.openapi,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(Exchange(scope, receive, send, names_itself=self._names_requests))
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _serve(self, exchange: Exchange) -> None:
        began = time.perf_counter()
        error = ""
        route = ""
        try:
            if (work := self._work.get(exchange.path)) is not None:
                route = exchange.path
                exchange.shape = work.shape
                await self._work_on(exchange, "POST", work.handle)
            elif (room := self._office.get(exchange.path)) is not None:
                route = exchange.path
                await self._work_on(exchange, *room)
            elif route := self._keys.route(exchange.path):
                await self._work_on(exchange, "", self._keys.handle)
            else:
                if b"anthropic-version" in exchange.headers:
                    exchange.shape = self._anthropic
                route, handler = self._find_house(exchange)
                self._check_method(exchange, "GET")
                await handler(exchange)
        except GatewayError as problem:
            error = problem.code
            await exchange.problem(problem)
        except asyncio.CancelledError as cancelled:
            told = desks.reason(cancelled)
            if told is None:  # the caller left, and that is only counted
                exchange.status = 499
                raise
            error = told.code
            await self._cut_off(exchange, told)
        except Exception:
            logger.exception("request %s failed", exchange.request_id)
            error = "internal_error"
            await exchange.problem(GatewayError("The gateway failed; its log has the request id"))
        finally:
            self._report(exchange, route, time.perf_counter() - began, error)

    async def _work_on(self, exchange: Exchange, method: str, handle: Handler) -> None:
        if method:
            self._check_method(exchange, method)
        self._desk.enter(exchange)
        try:
            await handle(exchange)
        finally:
            self._desk.leave()

    def _find_house(self, exchange: Exchange) -> tuple[str, Handler]:
        if (handler := self._house.get(exchange.path)) is not None:
            return exchange.path, handler
        if exchange.path.startswith("/v1/models/"):
            return "/v1/models/{id}", self._models
        raise NotFound(
            f"There is no {exchange.path[:80]!r}; see POST {', '.join(self._work)}, "
            f"GET {', '.join(self._house)}, /v1/usage, /v1/cache and /v1/keys"
        )

    @staticmethod
    def _check_method(exchange: Exchange, method: str) -> None:
        if exchange.method != method and not (exchange.method == "HEAD" and method == "GET"):
            raise wrong_method(exchange.path, exchange.method, method)

    @staticmethod
    async def _cut_off(exchange: Exchange, told: GatewayError) -> None:
        """We ended an exchange ourselves: its caller is told why."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        await exchange.problem(told)

    def _report(self, exchange: Exchange, route: str, duration_s: float, error: str) -> None:
        if route in self._house:
            return
        end = RequestEnd(
            trail=exchange.trail,
            route=route or "other",
            status=exchange.status,
            duration_s=duration_s,
            error=error,
            streamed=exchange.streamed,
        )
        if (facts := exchange.facts) is not None:
            end.tenant, end.user = facts.identity.tenant, facts.identity.user
            end.backend, end.model, end.cache = facts.backend, facts.model, facts.cache
            end.cost_micro_usd = facts.cost_micro_usd
            if facts.usage is not None:
                end.prompt_tokens = facts.usage.prompt_tokens
                end.completion_tokens = facts.usage.completion_tokens
            if facts.first_content_ms is not None and exchange.streamed:
                end.first_content_s = facts.first_content_ms / 1000
        self._observer.ended(end)


async def _lifespan(receive: Receive, send: Send) -> None:
    """Serve wants the protocol answered; what has to start has started before."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return

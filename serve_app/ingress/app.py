"""The ASGI application: finds the route, keeps the exchange's end, tells the observer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

from serve_app.core.errors import GatewayError
from serve_app.ingress import desk as desks
from serve_app.ingress.desk import Desk
from serve_app.ingress.doorman import Doorman
from serve_app.ingress.http import OPENAI_ERRORS, Exchange, Receive, Scope, Send
from serve_app.ingress.router import Handler, Route, Router
from serve_app.observe.observer import Observer, RequestEnd
from serve_app.wire.anthropic.problem import AnthropicErrors

logger = logging.getLogger(__name__)


class GatewayApp:
    """Routes exchanges. Work goes through the desk; health and metrics always get an answer.

    Args:
        routes: all there are.
        names_requests: False where the server in front sends the `x-request-id` header.
        doorman: looks at who has a session of the console; None: nobody can have one.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        desk: Desk,
        observer: Observer,
        *,
        names_requests: bool,
        doorman: Doorman | None = None,
    ) -> None:
        self._names_requests = names_requests
        self.router = Router(routes)
        self._desk = desk
        self._observer = observer
        self._doorman = doorman
        self._anthropic = AnthropicErrors()

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
        by_desk = True
        try:
            route = self._found(exchange)
            by_desk = route.by_desk
            if self._doorman is not None:
                await self._doorman.look(exchange)
            if by_desk:
                await self._work_on(exchange, route.handle)
            else:
                await route.handle(exchange)
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
            if by_desk:
                self._report(exchange, time.perf_counter() - began, error)

    def _found(self, exchange: Exchange) -> Route:
        try:
            route = self.router.find(exchange)
        except GatewayError:
            self._know_client(exchange)
            raise
        if not route.by_desk:
            self._know_client(exchange)
        return route

    def _know_client(self, exchange: Exchange) -> None:
        """Anthropic's clients ask at paths of no shape, too, and say so in a header."""
        if exchange.shape is OPENAI_ERRORS and b"anthropic-version" in exchange.headers:
            exchange.shape = self._anthropic

    async def _work_on(self, exchange: Exchange, handle: Handler) -> None:
        self._desk.enter(exchange)
        self._observer.begin(exchange.trail)
        try:
            await handle(exchange)
        finally:
            self._desk.leave()

    @staticmethod
    async def _cut_off(exchange: Exchange, told: GatewayError) -> None:
        """We ended an exchange ourselves: its caller is told why."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        await exchange.problem(told)

    def _report(self, exchange: Exchange, duration_s: float, error: str) -> None:
        end = RequestEnd(
            trail=exchange.trail,
            route=exchange.route or "other",
            status=exchange.status,
            duration_s=duration_s,
            error=error,
            streamed=exchange.streamed,
        )
        if exchange.facts is not None:
            end.learn(exchange.facts)
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

"""The clerk: takes what a caller sent to the pipeline, with what its headers say."""

from __future__ import annotations

from serve_app.config.structure import ServerSettings
from serve_app.core.clock import Clock
from serve_app.core.types import ChatRequest, Plan
from serve_app.ingress.http import Exchange
from serve_app.pipeline import Ask, Pipeline, Reply


class Clerk:
    """Asks the pipeline on behalf of an exchange."""

    def __init__(self, pipeline: Pipeline, settings: ServerSettings, clock: Clock) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._clock = clock

    async def body(self, exchange: Exchange) -> bytes:
        """The request's body, as long as it may be."""
        return await exchange.body(self._settings.max_body_bytes)

    async def answer(
        self, exchange: Exchange, request: ChatRequest, session: str | None = None
    ) -> Reply:
        """The reply to a request. Close it."""
        reply = await self._pipeline.answer(self._ask(exchange, request, session))
        exchange.facts = reply.facts
        return reply

    async def plan(self, exchange: Exchange, request: ChatRequest) -> Plan:
        """What would be done with a request; no backend is called."""
        return await self._pipeline.plan(self._ask(exchange, request, None))

    def _ask(self, exchange: Exchange, request: ChatRequest, session: str | None) -> Ask:
        ask = Ask(
            request=request,
            trail=exchange.trail,
            authorization=exchange.header(b"authorization"),
            api_key=exchange.header(b"x-api-key"),
            session=session,
            deadline=self._clock.monotonic() + self._settings.request_deadline_s,
        )
        if (control := exchange.header(b"cache-control")) is not None:
            control = control.lower()
            ask.read_cache = "no-cache" not in control and "no-store" not in control
            ask.write_cache = "no-store" not in control
        return ask

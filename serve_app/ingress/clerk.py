"""The clerk: takes what a caller sent to the pipeline, with what its headers say."""

from __future__ import annotations

from serve_app.admission.caller import CONSOLE, Caller
from serve_app.admission.porter import Admission, Standing
from serve_app.config.structure import ServerSettings
from serve_app.core.clock import Clock
from serve_app.core.plan import Plan
from serve_app.core.types import ChatRequest, Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.priority import HEADER, priority_of
from serve_app.loop.tool_loop import ToolLoop
from serve_app.pipeline import Ask, Control, Pipeline, Reply
from serve_app.steps.control import control_of


class Clerk:
    """Asks the pipeline on behalf of an exchange.

    Args:
        loop: answers requests, and runs the tools that they name.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        loop: ToolLoop,
        admission: Admission,
        settings: ServerSettings,
        clock: Clock,
    ) -> None:
        self._pipeline = pipeline
        self._loop = loop
        self._admission = admission
        self._settings = settings
        self._clock = clock

    async def body(self, exchange: Exchange) -> bytes:
        """The request's body, as long as it may be."""
        return await exchange.body(self._settings.max_body_bytes)

    async def answer(
        self, exchange: Exchange, request: ChatRequest, session: str | None = None
    ) -> Reply:
        """The reply to a request. Close it."""
        return await self.put(exchange, self.ask(exchange, request, session))

    async def put(self, exchange: Exchange, ask: Ask) -> Reply:
        """The reply to a question. Close it."""
        reply = await self._loop.answer(ask)
        exchange.facts = reply.facts
        return reply

    async def add(self, exchange: Exchange, request: ChatRequest, session: str) -> int:
        """Add messages to a conversation of the caller's; how many turns it has then. 0: they
        could not be kept."""
        identity = await self.identify(exchange)
        kept = await self._pipeline.add(self._ask(exchange, request, session), identity)
        return 0 if kept is None else kept.version

    def ask(self, exchange: Exchange, request: ChatRequest, session: str | None = None) -> Ask:
        """The question that an exchange puts with a request."""
        return self._ask(exchange, request, session)

    async def plan(self, exchange: Exchange, request: ChatRequest) -> Plan:
        """What would be done with a request; no backend is called."""
        return await self._pipeline.plan(self._ask(exchange, request, None))

    async def warm(
        self, exchange: Exchange, request: ChatRequest, answer: str | None, tags: tuple[str, ...]
    ) -> tuple[str, bool]:
        """Keep an answer until it is purged; see `Pipeline.warm`. It is found where the same
        question is asked of `/v1/chat/completions`."""
        ask = self._ask(exchange, request, None)
        ask.path = "/v1/chat/completions"
        ask.control = Control(tags=tags)
        return await self._pipeline.warm(ask, answer, is_admin=self.is_admin(exchange))

    def is_admin(self, exchange: Exchange) -> bool:
        """Whether the caller may see and change what is of every tenant. A visitor who may only
        look comes no further than the door with anything else."""
        return exchange.visitor is not None or self._admission.is_admin(*_keys(exchange))

    async def identify(self, exchange: Exchange) -> Identity:
        """Admit a caller that asks for nothing of a model."""
        if exchange.visitor is not None:
            return CONSOLE.identity
        return await self._admission.admit_to_desk(*_keys(exchange), exchange.path)

    async def admit_to_queue(self, exchange: Exchange) -> Caller:
        """Admit a caller that wants something done later, which is admitted itself then."""
        return await self._admission.admit_to_queue(
            *_keys(exchange), exchange.path, _digest(exchange)
        )

    def known(self, exchange: Exchange) -> Identity:
        """Who the caller is; asking costs it nothing."""
        if exchange.visitor is not None:
            return CONSOLE.identity
        return self._admission.known(*_keys(exchange), exchange.path)

    async def standing(self, exchange: Exchange) -> Standing:
        """What limits a caller, and what of it is used."""
        return await self._admission.standing(*_keys(exchange), _digest(exchange))

    def admin(self, exchange: Exchange) -> str | None:
        """The id of the caller's admin key, empty where it needs none, or only looks; None if it
        is no admin."""
        if exchange.visitor is not None:
            return exchange.visitor.admin_id
        return self._admission.admin(*_keys(exchange))

    def _ask(self, exchange: Exchange, request: ChatRequest, session: str | None) -> Ask:
        authorization, api_key = _keys(exchange)
        return Ask(
            request=request,
            trail=exchange.trail,
            authorization=authorization,
            api_key=api_key,
            session=session or request.session or None,
            path=exchange.path,
            control=control_of(
                exchange.header(b"cache-control"), exchange.header(b"x-serve-app-cache-tags")
            ),
            deadline=self._clock.monotonic() + self._settings.request_deadline_s,
            priority=priority_of(exchange.header(HEADER)),
            key_sha256=_digest(exchange),
        )


def _keys(exchange: Exchange) -> tuple[str | None, str | None]:
    """The headers that may hold the caller's key."""
    return exchange.header(b"authorization"), exchange.header(b"x-api-key")


def _digest(exchange: Exchange) -> str:
    """By which a caller is known that has a session in place of a key; empty: it has none."""
    return "" if exchange.visitor is None else CONSOLE.digest.hex()

"""The work routes: an exchange to a question for the pipeline, a reply to an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from serve_app.config.structure import ServerSettings
from serve_app.core.clock import Clock
from serve_app.core.errors import UpstreamFailed
from serve_app.core.types import Chunk, Message
from serve_app.ingress.http import JSON, Exchange, Headers
from serve_app.pipeline import Ask, Facts, Pipeline, Reply
from serve_app.wire import agent, openai
from serve_app.wire.reply import DONE, sse


class WorkRoutes:
    """The routes that ask a model.

    Args:
        busy_message: what `/agent/chat` answers when every backend failed; None: the error.
    """

    def __init__(self, pipeline: Pipeline, settings: ServerSettings, clock: Clock) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._clock = clock
        self.busy_message: str | dict[str, str] | None = None

    async def chat_completions(self, exchange: Exchange) -> None:
        """POST /v1/chat/completions."""
        request = openai.decode(await self._body(exchange))
        reply = await self._ask(exchange, Ask(request=request, trail=exchange.trail))
        async with aclosing(reply):
            if reply.chunks is not None:
                await exchange.answer_stream(_openai_events(reply.chunks), head(reply.facts))
            elif reply.whole is not None:
                await exchange.answer(200, reply.whole.raw, [JSON, *head(reply.facts)])

    async def agent_chat(self, exchange: Exchange) -> None:
        """POST /agent/chat."""
        asked = agent.decode(await self._body(exchange))
        request = openai.from_messages(
            asked.model, [Message(role="user", content=asked.message)], stream=asked.stream
        )
        ask = Ask(request=request, trail=exchange.trail, session=asked.session_id)
        try:
            reply = await self._ask(exchange, ask)
        except UpstreamFailed:
            if not isinstance(self.busy_message, str):
                raise
            await exchange.answer(
                503, agent.encode(asked.session_id, self.busy_message, "", None), [JSON]
            )
            return
        async with aclosing(reply):
            await self._answer_agent(exchange, asked.session_id, reply)

    async def _answer_agent(self, exchange: Exchange, session: str | None, reply: Reply) -> None:
        facts = reply.facts
        if reply.chunks is not None:
            pieces = agent.events(session, reply.chunks, lambda: _totals(facts))
            await exchange.answer_stream(pieces, head(facts))
        elif reply.whole is not None:
            text = agent.answered(reply.whole.raw).content
            body = agent.encode(
                session, text if isinstance(text, str) else "", facts.model, facts.usage
            )
            await exchange.answer(200, body, [JSON, *head(facts)])

    async def _body(self, exchange: Exchange) -> bytes:
        return await exchange.body(self._settings.max_body_bytes)

    async def _ask(self, exchange: Exchange, ask: Ask) -> Reply:
        ask.authorization = exchange.header(b"authorization")
        ask.api_key = exchange.header(b"x-api-key")
        ask.deadline = self._clock.monotonic() + self._settings.request_deadline_s
        if (control := exchange.header(b"cache-control")) is not None:
            ask.read_cache = "no-cache" not in control and "no-store" not in control
            ask.write_cache = "no-store" not in control
        reply = await self._pipeline.answer(ask)
        exchange.facts = reply.facts
        return reply


async def _openai_events(chunks: AsyncIterator[list[Chunk]]) -> AsyncIterator[bytes]:
    async for batch in chunks:
        yield sse(batch)
    yield DONE


def _totals(facts: Facts) -> dict[str, object]:
    return {"model": facts.model, "usage": facts.usage, "cost_usd": _usd(facts.cost_micro_usd)}


def head(facts: Facts) -> Headers:
    """Response headers that say who answered, from where, and for how much.

    The cost of a stream is not known when its head goes out, so it is not there.
    """
    headers: Headers = [
        (b"x-serve-app-backend", facts.backend.encode()),
        (b"x-serve-app-model", facts.model.encode("ascii", "replace")),
        (b"x-serve-app-cache", facts.cache.encode()),
    ]
    if facts.usage is not None:
        headers.append((b"x-serve-app-cost-usd", _usd(facts.cost_micro_usd).encode()))
    if facts.fingerprint:
        headers.append((b"x-serve-app-fingerprint", facts.fingerprint.encode()))
    if facts.age_s or facts.cache in ("l1", "l2"):
        headers.append((b"age", b"%d" % facts.age_s))
    if facts.session_kept is False:
        headers.append((b"x-serve-app-session", b"not-kept"))
    headers += [(name.encode(), value.encode()) for name, value in facts.limits.items()]
    return headers


def _usd(micro: int) -> str:
    """Micro-dollars as dollars, exactly."""
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}"

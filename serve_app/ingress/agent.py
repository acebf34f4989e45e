"""The agent endpoint: a session and a message in, text out, and kind words when all is busy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from serve_app.core.errors import DeadlineExceeded, GatewayError, Overloaded, UpstreamFailed
from serve_app.core.money import usd
from serve_app.core.types import Message
from serve_app.ingress import problems
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.heads import head
from serve_app.ingress.http import JSON, Exchange
from serve_app.ingress.language import words_for
from serve_app.pipeline import Facts, Reply
from serve_app.wire import agent, openai

_NO_BACKEND_AT_FAULT = frozenset({"session_store_unavailable"})
"""Codes of errors that say busy but not of backends."""


class AgentChat:
    """POST /agent/chat.

    Args:
        busy_message: the answer when every backend failed or is full, for all or by language;
            None: the error itself.
    """

    def __init__(self, clerk: Clerk) -> None:
        self._clerk = clerk
        self.busy_message: str | dict[str, str] | None = None

    async def __call__(self, exchange: Exchange) -> None:
        asked = agent.decode(await self._clerk.body(exchange))
        request = openai.from_messages(
            asked.model, [Message(role="user", content=asked.message)], stream=asked.stream
        )
        try:
            reply = await self._clerk.answer(exchange, request, asked.session_id)
        except (UpstreamFailed, Overloaded, DeadlineExceeded) as error:
            if not self.busy_message or error.code in _NO_BACKEND_AT_FAULT:
                raise
            await self._excuse(exchange, asked, error)
            return
        async with aclosing(reply):
            await _answer(exchange, asked.session_id, reply)

    async def _excuse(
        self, exchange: Exchange, asked: agent.AgentRequest, error: GatewayError
    ) -> None:
        """Busy, in the caller's language and in the form that was asked for."""
        accept = exchange.header(b"accept-language")
        words = words_for(self.busy_message or "", accept, asked.message)
        content_type, *headers = problems.headers(error)
        if asked.stream:
            pieces = _in_one_piece(agent.excuse(asked.session_id, words))
            await exchange.answer_stream(pieces, headers, status=503)
        else:
            body = agent.encode(asked.session_id, words, "", None)
            await exchange.answer(503, body, [content_type, *headers])


async def _in_one_piece(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _answer(exchange: Exchange, session: str | None, reply: Reply) -> None:
    facts = reply.facts
    if reply.chunks is not None:
        pieces = agent.events(session, reply.chunks, lambda: _totals(facts))
        await exchange.answer_stream(pieces, head(facts))
    elif reply.whole is not None:
        text = agent.answered(reply.whole.raw).content
        said = text if isinstance(text, str) else ""
        body = agent.encode(session, said, facts.model, facts.usage)
        await exchange.answer(200, body, [JSON, *head(facts)])


def _totals(facts: Facts) -> dict[str, object]:
    totals: dict[str, object] = {
        "model": facts.model,
        "usage": facts.usage,
        "cost_usd": usd(facts.cost_micro_usd),
    }
    return {**totals, "blocked_by": facts.blocked} if facts.blocked else totals

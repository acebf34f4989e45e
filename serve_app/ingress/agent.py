"""The agent endpoint's own: kind words when all is busy, in the caller's language."""

from __future__ import annotations

from collections.abc import AsyncIterator

from serve_app.core.errors import DeadlineExceeded, GatewayError, Overloaded, UpstreamFailed
from serve_app.core.types import ChatRequest
from serve_app.ingress import problems
from serve_app.ingress.http import Exchange
from serve_app.ingress.language import words_for
from serve_app.wire import agent

BUSY = (UpstreamFailed, Overloaded, DeadlineExceeded)
"""Errors that may be told in kind words."""

_NO_BACKEND_AT_FAULT = frozenset({"session_store_unavailable"})
"""Codes of errors that say busy but not of backends."""


class Excuse:
    """What `/agent/chat` answers when every backend failed or is full.

    Args:
        words: for all or by language; None: the error itself.
    """

    def __init__(self, words: str | dict[str, str] | None) -> None:
        self._words = words

    async def make(self, exchange: Exchange, request: ChatRequest, error: GatewayError) -> None:
        """Answer in the form that was asked for.

        Raises:
            GatewayError: the same, if there are no words for it.
        """
        if not self._words or error.code in _NO_BACKEND_AT_FAULT:
            raise error
        session, said = request.session or None, request.params.messages[-1].content
        accept = exchange.header(b"accept-language")
        words = words_for(self._words, accept, said if isinstance(said, str) else "")
        content_type, *headers = problems.headers(error)
        if request.streaming:
            pieces = _in_one_piece(agent.excuse(session, words))
            await exchange.answer_stream(pieces, headers, status=503)
        else:
            body = agent.encode(session, words, "", None)
            await exchange.answer(503, body, [content_type, *headers])


async def _in_one_piece(body: bytes) -> AsyncIterator[bytes]:
    yield body

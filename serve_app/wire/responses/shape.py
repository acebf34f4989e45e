"""Responses as a shape.

Unlike the others, one is made for each request: what a response repeats of its request, and how
many events there were, is in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from serve_app.core.errors import GatewayError
from serve_app.core.types import ChatRequest, Chunk
from serve_app.wire.problem import OpenAIErrors
from serve_app.wire.reply import payload
from serve_app.wire.responses.making import Json, Making, encode
from serve_app.wire.responses.reply import made_of
from serve_app.wire.responses.request import decode
from serve_app.wire.responses.terms import Terms, terms_of
from serve_app.wire.shape import Answered


class Responses(OpenAIErrors):
    """`POST /v1/responses`, of one request. Errors look as everywhere at OpenAI's until a stream
    has begun.

    Args:
        now: Unix seconds.
        terms: the response's, where they are known; else `decode` makes them.
    """

    def __init__(self, now: Callable[[], float], terms: Terms | None = None) -> None:
        self._now = now
        self._terms = terms
        self._making: Making | None = None

    @property
    def terms(self) -> Terms:
        assert self._terms is not None, "decoded first"
        return self._terms

    def decode(self, body: bytes) -> ChatRequest:
        """Only for a request that stands alone: nothing stored is looked up."""
        asked = decode(body)
        self._terms = terms_of(asked, self._now())
        return asked.chat()

    def making(self, answered: Answered) -> Making:
        """What this response is made with; there is one."""
        if self._making is None:
            self._making = Making(self.terms, answered, self._now)
        return self._making

    def made(self, chunk: Chunk, answered: Answered) -> Json:
        """The response that a whole reply amounts to."""
        return made_of(payload(chunk), self.making(answered))

    def whole(self, chunk: Chunk, answered: Answered) -> bytes:
        return encode(self.made(chunk, answered))

    async def events(
        self, chunks: AsyncIterator[list[Chunk]], answered: Answered
    ) -> AsyncIterator[bytes]:
        making = self.making(answered)
        async for batch in chunks:
            making.feed(batch)
            if out := making.drain():
                yield out
        making.close(making.finish())
        yield making.drain()

    def problem_event(self, error: GatewayError, request_id: str) -> bytes:
        """The stream's last events: what happened, and the response as far as it came."""
        if self._making is None:
            return super().problem_event(error, request_id)
        making = self._making
        failed = making.fail(error)
        making.tell_error(error, request_id)
        making.close(failed)
        return making.drain()

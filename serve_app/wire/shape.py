"""A shape's contract: what an API's requests, replies, streams and errors look like outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from serve_app.core.errors import GatewayError
from serve_app.core.types import ChatRequest, Chunk, Usage


class Answered(Protocol):
    """Who answered and what was used; `usage` is there once the reply is complete."""

    model: str
    usage: Usage | None
    cost_micro_usd: int
    session_id: str
    """The stored conversation as the caller named it; empty: none."""
    blocked: str
    """Name of the filter rule that ended the answer; empty: none did."""


class ErrorShape(Protocol):
    """How an API says that something failed."""

    def problem(self, error: GatewayError, request_id: str) -> bytes:
        """The JSON body of an answer."""

    def problem_event(self, error: GatewayError, request_id: str) -> bytes:
        """The last event of a stream that could not be finished; no sign of its end follows."""


class Shape(ErrorShape, Protocol):
    """One API over the same pipeline. Holds nothing of a request."""

    def decode(self, body: bytes) -> ChatRequest:
        """Check a request body.

        Raises:
            BadRequest: `param` is the path of the field at fault, in this API's names.
        """

    def whole(self, chunk: Chunk, answered: Answered) -> bytes:
        """A whole reply's body. Only `raw` of the chunk is sure to be there."""

    def events(
        self, chunks: AsyncIterator[list[Chunk]], answered: Answered
    ) -> AsyncIterator[bytes]:
        """A streamed reply as server-sent events, with the sign of its end."""

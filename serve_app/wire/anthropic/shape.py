"""Anthropic's Messages as a shape."""

from __future__ import annotations

from collections.abc import AsyncIterator

from serve_app.core.types import ChatRequest, Chunk
from serve_app.wire.anthropic.events import events
from serve_app.wire.anthropic.problem import AnthropicErrors
from serve_app.wire.anthropic.reply import message_of
from serve_app.wire.anthropic.request import decode
from serve_app.wire.reply import payload
from serve_app.wire.shape import Answered


class Messages(AnthropicErrors):
    """`POST /v1/messages`."""

    def decode(self, body: bytes) -> ChatRequest:
        return decode(body)

    def whole(self, chunk: Chunk, answered: Answered) -> bytes:
        return message_of(payload(chunk), answered)

    def events(
        self, chunks: AsyncIterator[list[Chunk]], answered: Answered
    ) -> AsyncIterator[bytes]:
        return events(chunks, answered)

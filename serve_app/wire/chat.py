"""OpenAI's chat completions as a shape: what the backend sent goes out as it came."""

from __future__ import annotations

from collections.abc import AsyncIterator

from serve_app.core.types import ChatRequest, Chunk
from serve_app.wire import openai
from serve_app.wire.problem import OpenAIErrors
from serve_app.wire.reply import DONE, payload, sse
from serve_app.wire.shape import Answered


class Chat(OpenAIErrors):
    """`POST /v1/chat/completions`."""

    def decode(self, body: bytes) -> ChatRequest:
        return openai.decode(body)

    def whole(self, chunk: Chunk, answered: Answered) -> bytes:
        return payload(chunk)

    async def events(
        self, chunks: AsyncIterator[list[Chunk]], answered: Answered
    ) -> AsyncIterator[bytes]:
        async for batch in chunks:
            yield sse(batch)
        yield DONE

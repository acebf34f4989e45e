"""The work routes: an exchange to a question for the pipeline, a reply to an answer.

What an API looks like is in its shape (`wire/`); how it is served is the same for all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial

from msgspec import Struct

from serve_app.core.types import ChatRequest
from serve_app.ingress.agent import AgentChat
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.heads import head
from serve_app.ingress.http import JSON, OPENAI_ERRORS, Exchange
from serve_app.ingress.several import answer_each, together
from serve_app.routing.estimate import estimate_messages
from serve_app.wire import completions, route
from serve_app.wire.anthropic.count import countable
from serve_app.wire.anthropic.request import decode_count
from serve_app.wire.anthropic.shape import Messages
from serve_app.wire.chat import Chat
from serve_app.wire.completions import Completions
from serve_app.wire.embeddings import Embeddings
from serve_app.wire.shape import ErrorShape, Shape

Handler = Callable[[Exchange], Awaitable[None]]


class Route(Struct, frozen=True):
    """Where a path leads, and how errors look there."""

    shape: ErrorShape
    handle: Handler


class WorkRoutes:
    """The routes that ask a model, or would."""

    def __init__(self, clerk: Clerk) -> None:
        self._clerk = clerk
        self._agent = AgentChat(self._clerk)

    @property
    def busy_message(self) -> str | dict[str, str] | None:
        """What `/agent/chat` answers when every backend failed; None: the error."""
        return self._agent.busy_message

    @busy_message.setter
    def busy_message(self, words: str | dict[str, str] | None) -> None:
        self._agent.busy_message = words

    def table(self) -> dict[str, Route]:
        """All routes, by path."""
        messages = Messages()
        return {
            "/v1/chat/completions": self._plain(Chat()),
            "/v1/messages": self._plain(messages),
            "/v1/messages/count_tokens": Route(messages, self._count_tokens),
            "/v1/completions": Route(OPENAI_ERRORS, self._completions),
            "/v1/embeddings": self._plain(Embeddings()),
            "/v1/route": Route(OPENAI_ERRORS, self._route),
            "/agent/chat": Route(OPENAI_ERRORS, self._agent),
        }

    def _plain(self, shape: Shape) -> Route:
        return Route(shape, partial(self._serve, shape))

    async def _serve(self, shape: Shape, exchange: Exchange) -> None:
        """One request, one reply, in any shape."""
        await self._reply(shape, exchange, shape.decode(await self._clerk.body(exchange)))

    async def _reply(self, shape: Shape, exchange: Exchange, request: ChatRequest) -> None:
        reply = await self._clerk.answer(exchange, request)
        facts = reply.facts
        async with aclosing(reply):
            if reply.chunks is not None:
                await exchange.answer_stream(shape.events(reply.chunks, facts), head(facts))
            elif reply.whole is not None:
                body = shape.whole(reply.whole, facts)
                await exchange.answer(200, body, [JSON, *head(facts)])

    async def _completions(self, exchange: Exchange) -> None:
        """POST /v1/completions: one prompt as any request, several beside one another."""
        requests = completions.decode_each(await self._clerk.body(exchange))
        if len(requests) == 1:
            await self._reply(Completions(), exchange, requests[0])
            return
        answers = await answer_each(self._clerk, exchange, requests)
        facts = exchange.facts = together([facts for _, facts in answers])
        await exchange.answer(200, completions.join(answers), [JSON, *head(facts)])

    async def _count_tokens(self, exchange: Exchange) -> None:
        """POST /v1/messages/count_tokens: an estimate, for those who may ask."""
        request = decode_count(await self._clerk.body(exchange))
        await self._clerk.plan(exchange, request)
        tokens = estimate_messages(countable(request))
        await exchange.answer_json(200, {"input_tokens": tokens})

    async def _route(self, exchange: Exchange) -> None:
        """POST /v1/route: the plan for a request, 200 even if it says that nothing fits."""
        request = route.decode(await self._clerk.body(exchange))
        await exchange.answer_json(200, await self._clerk.plan(exchange, request))

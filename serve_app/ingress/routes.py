"""The work routes: an exchange to a question for the pipeline, a reply to an answer.

What an API looks like is in its shape (`wire/`); how it is served is the same for all.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

from serve_app.core.types import ChatRequest
from serve_app.ingress.agent import BUSY, Excuse
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.heads import head
from serve_app.ingress.http import JSON, Exchange
from serve_app.ingress.router import Route
from serve_app.ingress.several import answer_each, together
from serve_app.routing.estimate import estimate_messages
from serve_app.wire import completions, route
from serve_app.wire.anthropic.count import countable
from serve_app.wire.anthropic.request import decode_count
from serve_app.wire.shape import Shape
from serve_app.wire.shapes import shapes


class WorkRoutes:
    """The routes that ask a model, or would.

    Args:
        busy_message: what `/agent/chat` answers when every backend failed; None: the error.
    """

    def __init__(self, clerk: Clerk) -> None:
        self._clerk = clerk
        self.busy_message: str | dict[str, str] | None = None

    def routes(self) -> list[Route]:
        by_path = shapes()
        messages = by_path["/v1/messages"]
        own = {"/v1/completions": self._completions, "/agent/chat": self._agent}
        return [
            *(
                Route("POST", path, partial(own.get(path, self._serve), shape), shape)
                for path, shape in by_path.items()
            ),
            Route("POST", "/v1/messages/count_tokens", self._count_tokens, messages),
            Route("POST", "/v1/route", self._route),
        ]

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

    async def _agent(self, shape: Shape, exchange: Exchange) -> None:
        """POST /agent/chat: kind words when all is busy, where the policy has them."""
        request = shape.decode(await self._clerk.body(exchange))
        try:
            await self._reply(shape, exchange, request)
        except BUSY as error:
            if exchange.started:
                raise
            await Excuse(self.busy_message).make(exchange, request, error)

    async def _completions(self, shape: Shape, exchange: Exchange) -> None:
        """POST /v1/completions: one prompt as any request, several beside one another."""
        requests = completions.decode_each(await self._clerk.body(exchange))
        if len(requests) == 1:
            await self._reply(shape, exchange, requests[0])
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

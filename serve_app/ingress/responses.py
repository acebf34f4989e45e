"""The routes of responses: made at once or in the background, fetched, followed, cancelled and
deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import msgspec

from serve_app.core.errors import BadRequest, Overloaded, UpstreamFailed
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.heads import head
from serve_app.ingress.http import JSON, Exchange, Headers
from serve_app.ingress.lookout import Lookout
from serve_app.ingress.response_later import Later, Submission
from serve_app.ingress.response_state import ResponseState
from serve_app.ingress.response_stream import ResponseStream
from serve_app.ingress.router import Route
from serve_app.pipeline import Reply
from serve_app.sessions.items import Items
from serve_app.sessions.responses import StoredResponse
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import TaskQueue
from serve_app.wire.background import idempotency_key
from serve_app.wire.checks import whole_number
from serve_app.wire.responses.ids import CONVERSATION_ID
from serve_app.wire.responses.listing import page_of, read_query, read_window
from serve_app.wire.responses.making import Json, encode
from serve_app.wire.responses.request import Asked, decode
from serve_app.work.response_job import PATH
from serve_app.work.responses import NO_MEMORY, Responding, Wanted, away

_MOST_EVENTS: Final = 1_000_000_000
_objects = msgspec.json.Decoder(list[Json]).decode


class ResponseRoutes:
    """`/v1/responses` and what is below it."""

    def __init__(
        self, clerk: Clerk, responding: Responding, items: Items, queue: TaskQueue
    ) -> None:
        self._clerk = clerk
        self._responding = responding
        self._items = items
        self._queue = queue
        self._state = ResponseState(responding.responses, queue)
        self._later = Later(clerk, responding, queue)
        self._lookout = Lookout(queue)
        self._stream = ResponseStream(self._state, self._lookout)

    def routes(self) -> list[Route]:
        one = f"{PATH}/{{id}}"
        return [
            Route("POST", PATH, self.create),
            Route("GET", one, self.show),
            Route("DELETE", one, self.delete),
            Route("POST", f"{one}/cancel", self.cancel),
            Route("GET", f"{one}/input_items", self.input_items),
        ]

    async def close(self) -> None:
        await self._lookout.close()

    # ---------------------------------------------------------------- making

    async def create(self, exchange: Exchange) -> None:
        """POST /v1/responses"""
        tenant = self._clerk.known(exchange).tenant
        key = idempotency_key(exchange.header(b"idempotency-key"))
        body = await self._clerk.body(exchange)
        asked = decode(body)
        if asked.fields.background:
            await self._create_later(exchange, tenant, Submission(body, asked, key))
            return
        wanted = await self._responding.prepare(tenant, asked)
        reply = await self._asked(exchange, wanted)
        exchange.shape = wanted.shape
        async with aclosing(reply):
            if asked.fields.stream:
                await exchange.answer_stream(self._events(wanted, reply), head(reply.facts))
            else:
                response = await self._whole(wanted, reply)
                headers = [JSON, *head(reply.facts), *_not_kept(asked, response)]
                await exchange.answer(200, encode(response), headers)

    async def _asked(self, exchange: Exchange, wanted: Wanted) -> Reply:
        """The reply. A request that continues nothing is answered though nothing can be kept."""
        ask = self._clerk.ask(exchange, wanted.request)
        try:
            return await self._clerk.put(exchange, self._responding.fit(wanted, ask))
        except Overloaded as error:
            if error.code != NO_MEMORY or wanted.asked.continues:
                raise
        self._responding.forgo(wanted)
        ask = self._clerk.ask(exchange, wanted.request)
        return await self._clerk.put(exchange, self._responding.fit(wanted, ask))

    async def _events(self, wanted: Wanted, reply: Reply) -> AsyncIterator[bytes]:
        """The response as it is made; stored before its end is told."""
        assert reply.chunks is not None, "a stream was asked for"
        making = wanted.shape.making(reply.facts)
        async for batch in reply.chunks:
            making.feed(batch)
            if out := making.drain():
                yield out
        response = making.finish()
        await self._responding.keep(wanted, response, reply.facts)
        making.close(response)
        yield making.drain()

    async def _whole(self, wanted: Wanted, reply: Reply) -> Json:
        """The response when it is made, and stored."""
        if reply.whole is not None:
            response = wanted.shape.made(reply.whole, reply.facts)
        elif reply.chunks is not None:  # of tools that ran here
            making = wanted.shape.making(reply.facts)
            async for batch in reply.chunks:
                making.feed(batch)
                making.drain()
            response = making.finish()
        else:
            raise UpstreamFailed("The backend sent no reply", code="empty_reply")
        await self._responding.keep(wanted, response, reply.facts)
        return response

    async def _create_later(self, exchange: Exchange, tenant: str, given: Submission) -> None:
        record = await self._later.submit(exchange, given)
        if given.asked.fields.stream:
            await exchange.answer_stream(self._stream.follow(tenant, record), [])
        else:
            await exchange.answer(200, record.response, [JSON])

    # ------------------------------------------------------------- afterwards

    async def show(self, exchange: Exchange) -> None:
        """GET /v1/responses/{id}, with `stream=true` its events from `starting_after` on."""
        tenant, record = await self._found(exchange)
        terms = read_query(exchange.query)
        if terms.get("stream", "false") not in ("true", "false"):
            raise BadRequest("stream is 'true' or 'false'", param="stream")
        if terms.get("stream") != "true":
            await exchange.answer(200, await self._state.response(tenant, record), [JSON])
            return
        if not record.task_id:
            raise BadRequest(
                "Only background responses can be streamed again; this one was none",
                param="stream",
            )
        after = _number(terms.get("starting_after"))
        await exchange.answer_stream(self._stream.follow(tenant, record, after), [])

    async def cancel(self, exchange: Exchange) -> None:
        """POST /v1/responses/{id}/cancel: it ends as it is; one that is over stays."""
        tenant, record = await self._found(exchange)
        if not record.task_id:
            raise BadRequest(
                "Only background responses can be cancelled; end the connection of others",
                param="response_id",
            )
        await exchange.answer(200, await self._state.cancel(tenant, record), [JSON])

    async def delete(self, exchange: Exchange) -> None:
        """DELETE /v1/responses/{id}: it, its task, and its turn; what others told a conversation
        is theirs, and so is what a conversation was told by this one (delete it there)."""
        tenant, record = await self._found(exchange)
        try:
            await self._responding.responses.delete(tenant, record.id)
            if record.task_id:
                await self._queue.forget(tenant, record.task_id)
            if record.version and CONVERSATION_ID.fullmatch(record.thread) is None:
                await self._items.delete_turn(tenant, record.thread, record.version - 1)
        except StoreUnavailable as error:
            raise away() from error
        deleted = {"id": record.id, "object": "response", "deleted": True}
        await exchange.answer_json(200, deleted)

    async def input_items(self, exchange: Exchange) -> None:
        """GET /v1/responses/{id}/input_items: a page of what was asked."""
        _, record = await self._found(exchange)
        window = read_window(exchange.query)
        await exchange.answer_json(200, page_of(_objects(record.input_items), window))

    async def _found(self, exchange: Exchange) -> tuple[str, StoredResponse]:
        tenant = self._clerk.known(exchange).tenant
        return tenant, await self._state.record(tenant, exchange.params["id"])


def _not_kept(asked: Asked, response: Json) -> Headers:
    """Says that a response that was to be stored is not."""
    failed = asked.fields.is_stored and not response["store"]
    return [(b"x-serve-app-response", b"not-kept")] if failed else []


def _number(text: str | None) -> int:
    """`starting_after`; -1 without one."""
    if text is None:
        return -1
    return 0 if text == "0" else whole_number(text, "starting_after", _MOST_EVENTS)

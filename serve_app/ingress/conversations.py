"""The routes of stored conversations: made, noted on, read item by item, exported and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from serve_app.core.errors import NotFound, TooLarge
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.conversation_items import ItemBook, items_of_turn
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Handler, Route
from serve_app.sessions.items import Items
from serve_app.sessions.store import Conversations
from serve_app.sessions.thread import Thread
from serve_app.store.errors import StoreUnavailable
from serve_app.wire import conversations as wire
from serve_app.wire.responses.ids import CONVERSATION_ID, new_conversation_id
from serve_app.wire.responses.items import Item
from serve_app.wire.responses.listing import listed, read_window
from serve_app.wire.responses.making import Json
from serve_app.work.responses import away

_PATH: Final = "/v1/conversations"


class ConversationRoutes:
    """`/v1/conversations` and what is below it. A conversation is its tenant's."""

    def __init__(self, clerk: Clerk, conversations: Conversations, items: Items) -> None:
        self._clerk = clerk
        self._conversations = conversations
        self._book = ItemBook(conversations, items)

    def routes(self) -> list[Route]:
        one, items = f"{_PATH}/{{id}}", f"{_PATH}/{{id}}/items"
        handlers = [
            ("POST", _PATH, self.create),
            ("GET", one, self.show),
            ("POST", one, self.update),
            ("DELETE", one, self.delete),
            ("GET", f"{one}/export", self.export),
            ("POST", items, self.add),
            ("GET", items, self.list),
            ("GET", f"{items}/{{item_id}}", self.show_item),
            ("DELETE", f"{items}/{{item_id}}", self.delete_item),
        ]
        return [Route(method, path, _kept(handle)) for method, path, handle in handlers]

    # ---------------------------------------------------------- conversations

    async def create(self, exchange: Exchange) -> None:
        """POST /v1/conversations"""
        tenant, name = (await self._clerk.identify(exchange)).tenant, new_conversation_id()
        metadata, items = wire.decode_new(await self._clerk.body(exchange))
        await self._conversations.create(tenant, name, metadata)
        try:
            await self._add(exchange, name, items)
        except BaseException:
            await self._conversations.delete(tenant, name)
            raise
        await self._tell(exchange, name, await self._thread(tenant, name))

    async def show(self, exchange: Exchange) -> None:
        """GET /v1/conversations/{id}"""
        tenant, name = self._named(exchange)
        await self._tell(exchange, name, await self._thread(tenant, name))

    async def update(self, exchange: Exchange) -> None:
        """POST /v1/conversations/{id}: other metadata in the place of what it has."""
        tenant, name = self._named(exchange)
        metadata = wire.decode_metadata(await self._clerk.body(exchange))
        if not await self._conversations.set_metadata(tenant, name, metadata):
            raise _none(name)
        await self._tell(exchange, name, await self._thread(tenant, name))

    async def delete(self, exchange: Exchange) -> None:
        """DELETE /v1/conversations/{id}, with its items and the responses made in it."""
        tenant, name = self._named(exchange)
        if not await self._conversations.delete(tenant, name):
            raise _none(name)
        await exchange.answer_json(200, wire.deleted(name))

    async def export(self, exchange: Exchange) -> None:
        """GET /v1/conversations/{id}/export: all that is kept of it."""
        tenant, name = self._named(exchange)
        thread, items = await self._thread(tenant, name), list[Json]()
        async with aclosing(self._conversations.export(tenant, name)) as pages:
            async for page in pages:
                items += [shown for turn in page.turns for shown in items_of_turn(turn)]
        head = wire.shown(name, thread.created_at, thread.metadata)
        more = {"turns": thread.version, "forgotten_turns": thread.gone, "tokens": thread.tokens}
        summary = None if thread.summary is None else thread.summary.text
        await exchange.answer_json(200, {**head, **more, "summary": summary, "items": items})

    # ----------------------------------------------------------------- items

    async def add(self, exchange: Exchange) -> None:
        """POST /v1/conversations/{id}/items"""
        tenant, name = self._named(exchange)
        given = wire.decode_items(await self._clerk.body(exchange))
        await self._thread(tenant, name)
        version = await self._add(exchange, name, given)
        added = await self._book.of_turn(tenant, name, version - 1) if version else []
        await exchange.answer_json(200, listed(added, has_more=False))

    async def list(self, exchange: Exchange) -> None:
        """GET /v1/conversations/{id}/items: a page of them."""
        tenant, name = self._named(exchange)
        window = read_window(exchange.query)
        await self._thread(tenant, name)
        shown, has_more = await self._book.page(tenant, name, window)
        await exchange.answer_json(200, listed(shown, has_more=has_more))

    async def show_item(self, exchange: Exchange) -> None:
        """GET /v1/conversations/{id}/items/{item_id}"""
        tenant, name = self._named(exchange)
        shown = await self._book.item(tenant, name, exchange.params["item_id"])
        await exchange.answer_json(200, shown)

    async def delete_item(self, exchange: Exchange) -> None:
        """DELETE /v1/conversations/{id}/items/{item_id}; answered with the conversation."""
        tenant, name = self._named(exchange)
        await self._book.delete(tenant, name, exchange.params["item_id"])
        await self._tell(exchange, name, await self._thread(tenant, name))

    # ---------------------------------------------------------------- helpers

    async def _add(self, exchange: Exchange, name: str, given: Sequence[Item]) -> int:
        """Add items as one turn; the conversation's version then, 0 if nothing of them is kept.

        Raises:
            GatewayError: a filter refuses them, or they are too large.
        """
        request = wire.request_of(given)
        if request is None:
            return 0
        version = await self._clerk.add(exchange, request, name)
        if not version:
            raise TooLarge("The items are too large to be kept, or Redis is away", param="items")
        return version

    def _named(self, exchange: Exchange) -> tuple[str, str]:
        """The caller's tenant, and the conversation that the path names.

        Raises:
            NotFound: it cannot be one.
        """
        tenant, name = self._clerk.known(exchange).tenant, exchange.params["id"]
        if CONVERSATION_ID.fullmatch(name) is None:
            raise _none(name)
        return tenant, name

    async def _thread(self, tenant: str, name: str) -> Thread:
        thread = await self._conversations.page(tenant, name, 0, 1)
        if not thread.is_there:
            raise _none(name)
        return thread

    @staticmethod
    async def _tell(exchange: Exchange, name: str, thread: Thread) -> None:
        shown = wire.shown(name, thread.created_at, thread.metadata)
        await exchange.answer_json(200, shown)


def _none(name: str) -> NotFound:
    return NotFound(
        f"There is no conversation {name[:80]!r}",
        param="conversation_id",
        code="conversation_not_found",
    )


def _kept(handle: Handler) -> Handler:
    """A handler that says so when Redis is away."""

    async def handled(exchange: Exchange) -> None:
        try:
            await handle(exchange)
        except StoreUnavailable as error:
            raise away() from error

    return handled

"""The routes of batches: make, list, look, cancel."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from serve_app.admission.caller import Caller
from serve_app.core.batch import Batch, BatchPage, BatchQuery
from serve_app.core.errors import NotFound
from serve_app.core.types import Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.kept import kept
from serve_app.ingress.router import Route
from serve_app.wire import batches as wire
from serve_app.wire.batches import NewBatch

MAX_BODY_BYTES: Final = 64 * 1024

_BATCH_ID: Final = re.compile(r"batch_[A-Za-z0-9_-]{1,64}")


class Desk(Protocol):
    """What these routes do with batches; see `work.batch_desk.BatchDesk`."""

    async def create(
        self, new: NewBatch, *, tenant: str, user: str, key_id: str, key: str
    ) -> Batch: ...

    async def get(self, tenant: str, batch_id: str) -> Batch: ...

    async def page(self, tenant: str, query: BatchQuery) -> BatchPage: ...

    async def cancel(self, tenant: str, batch_id: str) -> Batch: ...


class BatchRoutes:
    """`/v1/batches` and what is below it. A caller sees its own tenant's batches.

    Args:
        admit: admits the caller of an exchange, that wants something done later.
        known: who a caller is that comes back.
    """

    def __init__(
        self,
        *,
        admit: Callable[[Exchange], Awaitable[Caller]],
        known: Callable[[Exchange], Identity],
        desk: Desk,
    ) -> None:
        self._admit = admit
        self._known = known
        self._desk = desk

    def routes(self) -> list[Route]:
        one = "/v1/batches/{id}"
        return [
            Route("POST", "/v1/batches", kept(self.create)),
            Route("GET", "/v1/batches", kept(self.list)),
            Route("GET", one, kept(self.show)),
            Route("POST", f"{one}/cancel", kept(self.cancel)),
        ]

    async def create(self, exchange: Exchange) -> None:
        """POST /v1/batches"""
        caller = await self._admit(exchange)
        new = wire.decode_new(await exchange.body(MAX_BODY_BYTES))
        caller.check_path(new.endpoint)
        who = caller.identity
        batch = await self._desk.create(
            new, tenant=who.tenant, user=who.user, key_id=who.key_id, key=caller.digest.hex()
        )
        await _tell(exchange, batch)

    async def list(self, exchange: Exchange) -> None:
        """GET /v1/batches?limit=&after="""
        tenant = self._known(exchange).tenant
        page = await self._desk.page(tenant, wire.decode_query(exchange.query))
        await exchange.answer_json(200, wire.listed(page))

    async def show(self, exchange: Exchange) -> None:
        """GET /v1/batches/{id}"""
        tenant = self._known(exchange).tenant
        await _tell(exchange, await self._desk.get(tenant, _id(exchange)))

    async def cancel(self, exchange: Exchange) -> None:
        """POST /v1/batches/{id}/cancel"""
        tenant = self._known(exchange).tenant
        await _tell(exchange, await self._desk.cancel(tenant, _id(exchange)))


def _id(exchange: Exchange) -> str:
    """The batch that the path names.

    Raises:
        NotFound: it cannot be one.
    """
    batch_id = exchange.params["id"]
    if _BATCH_ID.fullmatch(batch_id) is None:
        raise NotFound(f"There is no batch {batch_id[:80]!r}", param="id", code="batch_not_found")
    return batch_id


async def _tell(exchange: Exchange, batch: Batch) -> None:
    await exchange.answer_json(200, wire.shown(batch))

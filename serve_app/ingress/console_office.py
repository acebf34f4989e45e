"""The routes of the console that show what there is: an overview, models' states, the cache's
questions, batches of all tenants."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from serve_app.core.batch import Batch, BatchPage, BatchQuery
from serve_app.core.errors import NotFound, Overloaded
from serve_app.core.kept import Hot, TopQuery
from serve_app.ingress.console_gate import Gate, tell
from serve_app.ingress.http import Exchange
from serve_app.ingress.kept import kept
from serve_app.ingress.router import Route
from serve_app.store.errors import StoreUnavailable
from serve_app.wire import batches as wire
from serve_app.wire.checks import whole_number
from serve_app.wire.query import read_terms

_MOST_SEARCHED: Final = 1000
"""Questions of a tenant: so many are kept."""
_MOST: Final = 200
_SOME: Final = "50"
_BATCH_ID: Final = re.compile(r"batch_[A-Za-z0-9_-]{1,64}")


class Questions(Protocol):
    """What of the cache is asked."""

    async def top(self, batch: list[TopQuery]) -> list[list[Hot]]: ...


class BatchLister(Protocol):
    """See `work.batch_list.BatchList`."""

    async def page(self, tenant: str, query: BatchQuery) -> BatchPage: ...

    async def cancel(self, tenant: str, batch_id: str) -> Batch: ...


class ConsoleOffice:
    """
    Args:
        overview: what the installation is like.
        models: how each model is, as this process knows.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        overview: Callable[[], Awaitable[dict[str, Any]]],
        models: Callable[[], Awaitable[list[dict[str, Any]]]],
        questions: Questions,
        batches: BatchLister,
    ) -> None:
        self._gate = gate
        self._overview = overview
        self._models = models
        self._questions = questions
        self._batches = batches

    def routes(self) -> list[Route]:
        api, of_batches = "/console/api", "/console/api/batches"
        return [
            Route("GET", f"{api}/overview", self.overview, by_desk=False),
            Route("GET", f"{api}/backends", self.backends, by_desk=False),
            Route("GET", f"{api}/cache/questions", self.questions, by_desk=False),
            Route("GET", of_batches, kept(self.batches), by_desk=False),
            Route("POST", f"{of_batches}/{{what...}}", kept(self.cancel)),
        ]

    async def overview(self, exchange: Exchange) -> None:
        """GET /console/api/overview"""
        self._gate.check(exchange)
        await tell(exchange, await self._overview())

    async def backends(self, exchange: Exchange) -> None:
        """GET /console/api/backends"""
        self._gate.check(exchange)
        await tell(exchange, {"data": await self._models()})

    async def questions(self, exchange: Exchange) -> None:
        """GET /console/api/cache/questions?tenant=&q=&limit="""
        self._gate.check(exchange)
        asked = read_terms(exchange.query, ("tenant", "q", "limit"))
        tenant, wanted = asked.get("tenant", "default"), asked.get("q", "").casefold()
        limit = whole_number(asked.get("limit", _SOME), "limit", _MOST)
        try:
            [hot] = await self._questions.top([TopQuery(tenant, _MOST_SEARCHED)])
        except StoreUnavailable as error:
            raise Overloaded(
                "Questions cannot be looked up at the moment.", code="cache_unavailable"
            ) from error
        found = [one for one in hot if wanted in one.text.casefold()][:limit]
        await tell(exchange, {"tenant": tenant, "searched": len(hot), "data": found})

    async def batches(self, exchange: Exchange) -> None:
        """GET /console/api/batches?tenant=&cursor=&limit="""
        self._gate.check(exchange)
        asked = read_terms(exchange.query, ("tenant", "cursor", "limit"))
        cursor = asked.get("cursor", "")
        if cursor:
            _check_id(cursor)
        limit = whole_number(asked.get("limit", _SOME), "limit", _MOST)
        page = await self._batches.page(asked.get("tenant", ""), BatchQuery(cursor, limit))
        following = page.batches[-1].id if page.has_more else ""
        await tell(exchange, {"data": [_shown(one) for one in page.batches], "next": following})

    async def cancel(self, exchange: Exchange) -> None:
        """POST /console/api/batches/{tenant}/{id}/cancel"""
        self._gate.check(exchange)
        # A tenant's name may have a slash in it, of which nothing is left in a path but a slash.
        tenant, batch_id, act = (["", "", *exchange.params["what"].rsplit("/", 2)])[-3:]
        if act != "cancel" or not tenant:
            raise NotFound(f"There is no {exchange.path[:80]!r}")
        _check_id(batch_id)
        await tell(exchange, _shown(await self._batches.cancel(tenant, batch_id)))


def _shown(batch: Batch) -> dict[str, Any]:
    return {"tenant": batch.tenant, **wire.shown(batch)}


def _check_id(batch_id: str) -> None:
    """
    Raises:
        NotFound: it cannot be the id of a batch.
    """
    if _BATCH_ID.fullmatch(batch_id) is None:
        raise NotFound(f"There is no batch {batch_id[:80]!r}", param="id", code="batch_not_found")

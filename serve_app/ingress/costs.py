"""GET /v1/costs: what was spent in a period, by whom, on what, and what the cache saved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from serve_app.core.clock import Clock
from serve_app.core.costs import CostReport
from serve_app.core.errors import Blocked, Overloaded
from serve_app.core.types import Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Route
from serve_app.records.reports import Reports, ReportsAway, Wanted
from serve_app.wire.costs import CostsQuery, decode_costs, shown_costs

_AT_ONCE: Final = 2
"""Reports are made in threads that files are read in, too."""


class CostsRoute:
    """A caller sees the figures of its own key (without one, of its user); an admin those of any
    tenant, or of all.

    Args:
        identify: admits the caller of an exchange.
        is_admin: whether the caller has an admin key, or needs none.
    """

    def __init__(
        self,
        *,
        identify: Callable[[Exchange], Awaitable[Identity]],
        is_admin: Callable[[Exchange], bool],
        reports: Reports,
        clock: Clock,
    ) -> None:
        self._identify = identify
        self._is_admin = is_admin
        self._reports = reports
        self._clock = clock
        self._places = asyncio.Semaphore(_AT_ONCE)

    def routes(self) -> list[Route]:
        return [Route("GET", "/v1/costs", self)]

    async def __call__(self, exchange: Exchange) -> None:
        """GET /v1/costs?group_by=&from=&to=&tenant=&limit="""
        identity = await self._identify(exchange)
        query = decode_costs(exchange.query, self._clock.wall())
        report = await self._report(self._wanted(exchange, identity, query))
        await exchange.answer_json(200, shown_costs(report, query.by))

    def _wanted(self, exchange: Exchange, identity: Identity, query: CostsQuery) -> Wanted:
        tenant, user, key = query.tenant, "", ""
        if not self._is_admin(exchange):
            if tenant:
                raise Blocked("Only an admin key may see a tenant's costs", code="admin_required")
            tenant, key = identity.tenant, identity.key_id
            user = "" if key else identity.user
        return Wanted(
            query.since, query.until, query.by, tenant, user=user, key=key, limit=query.limit
        )

    async def _report(self, wanted: Wanted) -> CostReport:
        async with self._places:
            try:
                return await asyncio.to_thread(self._reports.costs, wanted)
            except ReportsAway as error:
                raise Overloaded(
                    f"There is no report at the moment: {error}.",
                    code="records_unavailable",
                    retry_after_s=5.0,
                ) from error

"""GET /v1/trails/{id}: what each stage decided about a request, why, and how long it took."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from serve_app.core.errors import Blocked, NotFound, Overloaded
from serve_app.core.types import Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Route
from serve_app.store.errors import StoreUnavailable
from serve_app.wire.trails import decode_trail_query, shown_trail

Find = Callable[[str | None, str], Awaitable[dict[str, Any] | None]]
"""Finds a trail by tenant (None: anybody's) and request id."""

_AGAIN_S: Final = 0.25


class TrailRoutes:
    """A caller finds the trails of its own tenant; another's are as if they were not there. An
    admin finds all.

    Args:
        identify: admits the caller of an exchange.
        is_admin: whether the caller has an admin key, or needs none.
    """

    def __init__(
        self,
        *,
        identify: Callable[[Exchange], Awaitable[Identity]],
        is_admin: Callable[[Exchange], bool],
        find: Find,
    ) -> None:
        self._identify = identify
        self._is_admin = is_admin
        self._find = find

    def routes(self) -> list[Route]:
        return [Route("GET", "/v1/trails/{id}", self.show)]

    async def show(self, exchange: Exchange) -> None:
        """GET /v1/trails/{id}?wait_s=&tenant="""
        identity = await self._identify(exchange)
        query = decode_trail_query(exchange.query)
        tenant: str | None = identity.tenant
        if self._is_admin(exchange):
            tenant = query.tenant or None
        elif query.tenant not in ("", identity.tenant):
            raise Blocked("Only an admin key may see another's trails", code="admin_required")
        found = await self._found(tenant, exchange.params["id"], query.wait_s)
        await exchange.answer_json(200, shown_trail(found))

    async def _found(self, tenant: str | None, request_id: str, wait_s: float) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + wait_s
        while True:
            try:
                found = await self._find(tenant, request_id)
            except StoreUnavailable as error:
                raise Overloaded(
                    "Trails cannot be read at the moment.",
                    code="trails_unavailable",
                    retry_after_s=1.0,
                ) from error
            if found is not None:
                return found
            if loop.time() >= give_up_at:
                raise NotFound(
                    f"There is no trail of {request_id[:64]!r}: it is too old, too young (see "
                    "wait_s), or was left out (see the policy's trails.per_second)",
                    code="trail_not_found",
                )
            await asyncio.sleep(_AGAIN_S)

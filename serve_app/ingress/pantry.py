"""The routes of the cache itself: purge answers, see what is asked often, warm up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from msgspec.structs import replace

from serve_app.core.errors import Blocked
from serve_app.core.kept import Hot, Purge, Purged, TopQuery
from serve_app.core.types import ChatRequest, Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Route
from serve_app.wire.pantry import decode_purge, decode_top, decode_warm, listed

SETTLE_S: Final = 1.0
"""A purge is answered after so long: by then every replica knows, and what is asked from then on
is not taken for something older (replicas' clocks may differ by as much)."""

Warm = Callable[[Exchange, ChatRequest, str | None, tuple[str, ...]], Awaitable[tuple[str, bool]]]
"""Keeps the answer to a request for ever; without an answer it is asked for. Its fingerprint, and
whether it is new."""


class Stored(Protocol):
    """What of the cache these routes use."""

    async def purge(self, batch: list[Purge]) -> list[Purged]: ...

    async def top(self, batch: list[TopQuery]) -> list[list[Hot]]: ...


class PantryRoutes:
    """`/v1/cache`, `/v1/cache/top` and `/v1/cache/warm`. A caller sees and purges what is its own
    tenant's; the rest is an admin's.

    Args:
        identify: admits the caller of an exchange.
        is_admin: whether the caller has an admin key, or needs none.
        max_body_bytes: of a request to warm.
        settle_s: how long after a purge it is answered.
    """

    def __init__(
        self,
        *,
        identify: Callable[[Exchange], Awaitable[Identity]],
        is_admin: Callable[[Exchange], bool],
        cache: Stored,
        warm: Warm,
        max_body_bytes: int,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._identify = identify
        self._is_admin = is_admin
        self._cache = cache
        self._warm = warm
        self._max_body_bytes = max_body_bytes
        self._settle_s = settle_s

    def routes(self) -> list[Route]:
        return [
            Route("DELETE", "/v1/cache", self.purge),
            Route("GET", "/v1/cache/top", self.top),
            Route("POST", "/v1/cache/warm", self.warm),
        ]

    async def purge(self, exchange: Exchange) -> None:
        """DELETE /v1/cache?tenant=&model=&tag=&fingerprint=&all=true: how many answers went."""
        identity = await self._identify(exchange)
        asked = decode_purge(exchange.query)
        purge = asked.purge
        if asked.everywhere:
            self._check_admin(exchange, "purge every tenant's answers")
        else:
            purge = replace(purge, tenant=self._tenant(exchange, identity, purge.tenant))
        [purged] = await self._cache.purge([purge])
        await asyncio.sleep(self._settle_s)
        await exchange.answer_json(200, purged)

    async def top(self, exchange: Exchange) -> None:
        """GET /v1/cache/top?limit=&tenant=: the questions asked most, for a warm-up."""
        identity = await self._identify(exchange)
        tenant, limit = decode_top(exchange.query)
        [hot] = await self._cache.top([TopQuery(self._tenant(exchange, identity, tenant), limit)])
        await exchange.answer_json(200, listed(hot))

    async def warm(self, exchange: Exchange) -> None:
        """POST /v1/cache/warm: keep an answer for ever, once."""
        asked = decode_warm(await exchange.body(self._max_body_bytes))
        fingerprint, is_new = await self._warm(exchange, asked.request, asked.answer, asked.tags)
        status = "stored" if is_new else "present"
        await exchange.answer_json(200, {"fingerprint": fingerprint, "status": status})

    def _tenant(self, exchange: Exchange, identity: Identity, named: str) -> str:
        """The tenant that is meant, if the caller may mean it."""
        if named and named != identity.tenant:
            self._check_admin(exchange, "see or purge another tenant's answers")
            return named
        return identity.tenant

    def _check_admin(self, exchange: Exchange, what: str) -> None:
        if not self._is_admin(exchange):
            raise Blocked(
                f"Only an admin key (admission.admin_keys) may {what}.", code="admin_required"
            )

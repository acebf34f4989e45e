"""The routes of alerts: what holds, what nobody wants to hear of, whether a channel works."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from serve_app.alerts.channels.base import NotDelivered
from serve_app.alerts.engine import Engine
from serve_app.alerts.overview import overview
from serve_app.alerts.silences import SilenceMatcher
from serve_app.core.errors import Blocked, Overloaded, UpstreamFailed
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Route
from serve_app.store.errors import StoreUnavailable
from serve_app.wire.alerts import decode_silence

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

_MAX_BODY_BYTES = 16 * 1024


class AlertRoutes:
    """`/v1/alerts` and what is below it, for admins.

    Args:
        admin: the id of a caller's admin key, empty where none is needed, None if it has none.
    """

    def __init__(self, *, admin: Callable[[Exchange], str | None], engine: Engine) -> None:
        self._admin = admin
        self._engine = engine

    def routes(self) -> list[Route]:
        silences = "/v1/alerts/silences"
        return [
            Route("GET", "/v1/alerts", self.show),
            Route("GET", silences, self.list_silences),
            Route("POST", silences, self.silence),
            Route("DELETE", f"{silences}/{{id}}", self.unsilence),
            Route("POST", "/v1/alerts/test/{channel}", self.test),
        ]

    async def show(self, exchange: Exchange) -> None:
        """GET /v1/alerts"""
        self._check_admin(exchange)
        with _redis():
            if not self._engine.is_at_work:
                await self._engine.silences.read()
            shown = await overview(self._engine)
        await exchange.answer_json(200, shown)

    async def list_silences(self, exchange: Exchange) -> None:
        """GET /v1/alerts/silences: those that hold or held lately, newest first."""
        self._check_admin(exchange)
        with _redis():
            found = await self._engine.silences.read()
        await exchange.answer_json(200, {"object": "list", "data": found})

    async def silence(self, exchange: Exchange) -> None:
        """POST /v1/alerts/silences"""
        admin = self._check_admin(exchange)
        asked = decode_silence(await exchange.body(_MAX_BODY_BYTES))
        matchers = [SilenceMatcher(one.label, one.value, one.op) for one in asked.matchers]
        author = asked.author or (f"admin {admin}" if admin else "")
        with _redis():
            made = await self._engine.silences.add(matchers, asked.for_s, author, asked.reason)
        log.info("%s was made by admin %s, for %d s", made.id, admin or "(no key)", asked.for_s)
        await exchange.answer_json(200, made)

    async def unsilence(self, exchange: Exchange) -> None:
        """DELETE /v1/alerts/silences/{id}"""
        admin, silence_id = self._check_admin(exchange), exchange.params["id"]
        with _redis():
            await self._engine.silences.take_back(silence_id)
        log.info("%s was taken back by admin %s", silence_id, admin or "(no key)")
        await exchange.answer_json(200, {"id": silence_id, "object": "silence", "deleted": True})

    async def test(self, exchange: Exchange) -> None:
        """POST /v1/alerts/test/{channel}: send a message there now."""
        self._check_admin(exchange)
        name = exchange.params["channel"]
        try:
            await self._engine.post.test(name)
        except NotDelivered as error:
            raise UpstreamFailed(
                f"The channel {name!r} did not take the message: {error}",
                code="alert_not_delivered",
            ) from None
        await exchange.answer_json(200, {"channel": name, "delivered": True})

    def _check_admin(self, exchange: Exchange) -> str:
        admin = self._admin(exchange)
        if admin is None:
            raise Blocked(
                "Only an admin key (admission.admin_keys) may see and silence alerts.",
                code="admin_required",
            )
        return admin


@contextmanager
def _redis() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise Overloaded(
            "Alerts cannot be looked up at the moment: Redis is away.",
            code="alerts_unavailable",
            retry_after_s=1.0,
        ) from error

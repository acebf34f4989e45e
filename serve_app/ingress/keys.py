"""The routes of API keys: admins make, see, change, replace, disable and forget them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Final, Protocol

from serve_app.core.errors import Blocked, NotFound
from serve_app.core.key_record import KeyChange, KeyPage, KeyQuery, KeyRecord, KeyTerms, NewKey
from serve_app.ingress.http import Exchange, Headers
from serve_app.ingress.router import Route
from serve_app.wire import keys as wire

log = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 64 * 1024

_NOT_KEPT: Headers = [(b"cache-control", b"no-store")]
"""No proxy and no browser may remember an answer with a key in it."""

_KEY_ID: Final = re.compile(r"[0-9a-f]{12}")


class Keys(Protocol):
    """What admins do with keys; see `Registrar`."""

    async def create(self, terms: KeyTerms) -> NewKey: ...

    async def get(self, key_id: str) -> KeyRecord: ...

    async def list(self, query: KeyQuery) -> KeyPage: ...

    async def change(self, key_id: str, change: KeyChange) -> KeyRecord: ...

    async def disable(self, key_id: str) -> KeyRecord: ...

    async def enable(self, key_id: str) -> KeyRecord: ...

    async def rotate(self, key_id: str, grace_s: int = 0) -> NewKey: ...

    async def forget(self, key_id: str) -> KeyRecord: ...


class KeyRoutes:
    """`/v1/keys` and what is below it. Every change leaves a line in the log, without the key.

    Args:
        admin: the id of a caller's admin key, empty where none is needed, None if it has none.
    """

    def __init__(self, *, admin: Callable[[Exchange], str | None], keys: Keys) -> None:
        self._admin = admin
        self._keys = keys

    def routes(self) -> list[Route]:
        one = "/v1/keys/{id}"
        return [
            Route("GET", "/v1/keys", self.list),
            Route("POST", "/v1/keys", self.create),
            Route("GET", one, self.show),
            Route("PATCH", one, self.change),
            Route("DELETE", one, self.forget),
            Route("POST", f"{one}/rotate", self.rotate),
            Route("POST", f"{one}/disable", self.disable),
            Route("POST", f"{one}/enable", self.enable),
        ]

    async def list(self, exchange: Exchange) -> None:
        """GET /v1/keys: a page of them."""
        self._check_admin(exchange)
        page = await self._keys.list(wire.decode_query(exchange.query))
        await exchange.answer_json(200, wire.listed(page))

    async def create(self, exchange: Exchange) -> None:
        """POST /v1/keys: the one answer that has the key itself."""
        admin = self._check_admin(exchange)
        new = await self._keys.create(wire.decode_terms(await exchange.body(MAX_BODY_BYTES)))
        _audit("created", new.record, admin)
        await exchange.answer_json(200, wire.shown_once(new), _NOT_KEPT)

    async def show(self, exchange: Exchange) -> None:
        """GET /v1/keys/{id}"""
        self._check_admin(exchange)
        await _tell(exchange, await self._keys.get(_id(exchange)))

    async def change(self, exchange: Exchange) -> None:
        """PATCH /v1/keys/{id}"""
        admin, key_id = self._check_admin(exchange), _id(exchange)
        change = wire.decode_change(await exchange.body(MAX_BODY_BYTES))
        record = await self._keys.change(key_id, change)
        _audit("changed", record, admin)
        await _tell(exchange, record)

    async def forget(self, exchange: Exchange) -> None:
        """DELETE /v1/keys/{id}"""
        admin = self._check_admin(exchange)
        record = await self._keys.forget(_id(exchange))
        _audit("deleted", record, admin)
        await _tell(exchange, record)

    async def disable(self, exchange: Exchange) -> None:
        """POST /v1/keys/{id}/disable"""
        admin = self._check_admin(exchange)
        record = await self._keys.disable(_id(exchange))
        _audit("disabled", record, admin)
        await _tell(exchange, record)

    async def enable(self, exchange: Exchange) -> None:
        """POST /v1/keys/{id}/enable"""
        admin = self._check_admin(exchange)
        record = await self._keys.enable(_id(exchange))
        _audit("enabled", record, admin)
        await _tell(exchange, record)

    async def rotate(self, exchange: Exchange) -> None:
        """POST /v1/keys/{id}/rotate: a new key in the place of an old one."""
        admin, key_id = self._check_admin(exchange), _id(exchange)
        grace_s = wire.decode_rotation(await exchange.body(MAX_BODY_BYTES))
        new = await self._keys.rotate(key_id, grace_s)
        _audit(f"made in place of {key_id} (good for {grace_s} s more)", new.record, admin)
        await exchange.answer_json(200, wire.shown_once(new), _NOT_KEPT)

    def _check_admin(self, exchange: Exchange) -> str:
        """The id of the caller's admin key, empty where none is needed.

        Raises:
            Blocked: the caller is no admin.
        """
        admin = self._admin(exchange)
        if admin is None:
            raise Blocked(
                "Only an admin key (admission.admin_keys) may manage API keys.",
                code="admin_required",
            )
        return admin


def _id(exchange: Exchange) -> str:
    """The key that the path names.

    Raises:
        NotFound: it cannot be one.
    """
    key_id = exchange.params["id"]
    if _KEY_ID.fullmatch(key_id) is None:
        raise NotFound(f"There is no {exchange.path[:80]!r}; see /v1/keys/{{id}}")
    return key_id


async def _tell(exchange: Exchange, record: KeyRecord) -> None:
    await exchange.answer_json(200, wire.shown(record))


def _audit(what: str, record: KeyRecord, admin: str) -> None:
    log.info(
        "API key %s was %s by %s: tenant %r, user %r, team %r, disabled %s, expires %s",
        record.id,
        what,
        f"admin {admin}" if admin else "somebody (no admin key is set)",
        record.tenant,
        record.user,
        record.team,
        record.disabled,
        record.expires_at or "never",
    )

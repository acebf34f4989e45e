"""The routes of API keys: admins make, see, change, replace, disable and forget them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Final, Protocol

from serve_app.core.errors import Blocked, NotFound
from serve_app.core.key_record import KeyChange, KeyPage, KeyQuery, KeyRecord, KeyTerms, NewKey
from serve_app.ingress.http import Exchange, Headers
from serve_app.ingress.problems import wrong_method
from serve_app.wire import keys as wire

log = logging.getLogger(__name__)

_READS: Final = ("GET", "HEAD")

MAX_BODY_BYTES: Final = 64 * 1024

_NOT_KEPT: Headers = [(b"cache-control", b"no-store")]
"""No proxy and no browser may remember an answer with a key in it."""

_PATH: Final = re.compile(r"/v1/keys(?:/([0-9a-f]{12})(?:/(rotate|disable|enable))?)?")


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

    @staticmethod
    def route(path: str) -> str:
        """The route of a path as metrics name it; empty if it is none of these."""
        if path != "/v1/keys" and not path.startswith("/v1/keys/"):
            return ""
        matched = _PATH.fullmatch(path)
        if matched is None or matched[1] is None:
            return "/v1/keys" if matched else "/v1/keys/{id}"
        return f"/v1/keys/{{id}}/{matched[2]}" if matched[2] else "/v1/keys/{id}"

    async def handle(self, exchange: Exchange) -> None:
        """Answer whatever is asked below `/v1/keys`.

        Raises:
            Blocked: the caller is no admin.
            NotFound: no such route, or no such key.
            MethodNotAllowed, BadRequest, Overloaded.
        """
        admin = self._admin(exchange)
        if admin is None:
            raise Blocked(
                "Only an admin key (admission.admin_keys) may manage API keys.",
                code="admin_required",
            )
        matched = _PATH.fullmatch(exchange.path)
        if matched is None:
            raise NotFound(f"There is no {exchange.path[:80]!r}; see /v1/keys/{{id}}")
        key_id, action = matched.groups()
        if action:
            await self._act(exchange, admin, key_id, action)
        elif key_id:
            await self._one(exchange, admin, key_id)
        else:
            await self._all(exchange, admin)

    async def _all(self, exchange: Exchange, admin: str) -> None:
        if exchange.method == "POST":
            new = await self._keys.create(wire.decode_terms(await exchange.body(MAX_BODY_BYTES)))
            _audit("created", new.record, admin)
            await exchange.answer_json(200, wire.shown_once(new), _NOT_KEPT)
        elif exchange.method in _READS:
            page = await self._keys.list(wire.decode_query(exchange.query))
            await exchange.answer_json(200, wire.listed(page))
        else:
            raise wrong_method(exchange.path, exchange.method, "GET", "POST")

    async def _one(self, exchange: Exchange, admin: str, key_id: str) -> None:
        if exchange.method in _READS:
            record = await self._keys.get(key_id)
        elif exchange.method == "PATCH":
            change = wire.decode_change(await exchange.body(MAX_BODY_BYTES))
            record = await self._keys.change(key_id, change)
            _audit("changed", record, admin)
        elif exchange.method == "DELETE":
            record = await self._keys.forget(key_id)
            _audit("deleted", record, admin)
        else:
            raise wrong_method(exchange.path, exchange.method, "GET", "PATCH", "DELETE")
        await exchange.answer_json(200, wire.shown(record))

    async def _act(self, exchange: Exchange, admin: str, key_id: str, action: str) -> None:
        if exchange.method != "POST":
            raise wrong_method(exchange.path, exchange.method, "POST")
        if action == "rotate":
            await self._rotate(exchange, admin, key_id)
            return
        change = self._keys.disable if action == "disable" else self._keys.enable
        record = await change(key_id)
        _audit(f"{action}d", record, admin)
        await exchange.answer_json(200, wire.shown(record))

    async def _rotate(self, exchange: Exchange, admin: str, key_id: str) -> None:
        grace_s = wire.decode_rotation(await exchange.body(MAX_BODY_BYTES))
        new = await self._keys.rotate(key_id, grace_s)
        _audit(f"made in place of {key_id} (good for {grace_s} s more)", new.record, admin)
        await exchange.answer_json(200, wire.shown_once(new), _NOT_KEPT)


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

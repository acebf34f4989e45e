"""The routes of sessions: who am I, log in, log out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

import serve_app
from serve_app.config.watch_settings import ConsoleSettings
from serve_app.console import cookie
from serve_app.console.locks import Locks
from serve_app.console.sessions import NoSecret, Sessions
from serve_app.console.tries import Tries
from serve_app.core.errors import (
    BadRequest,
    Overloaded,
    RateLimited,
    RequestTimeout,
    Unauthorized,
)
from serve_app.core.visitor import Visitor
from serve_app.ingress.console_pages import GUARDED
from serve_app.ingress.doorman import LOGIN, LOGOUT, is_https
from serve_app.ingress.http import Exchange, Headers
from serve_app.ingress.router import Route
from serve_app.store.errors import StoreUnavailable

log = logging.getLogger(__name__)

_MAX_BODY_BYTES: Final = 4096
_BODY_LIMIT_S: Final = 10.0

PRIVATE: Final[Headers] = [(b"cache-control", b"no-store"), *GUARDED]
"""With every answer that is for one session alone."""


class _Login(Struct, frozen=True, forbid_unknown_fields=True):
    key: Annotated[str, Meta(min_length=1, max_length=1024)]


_login: Final = msgspec.json.Decoder(_Login)


class ConsoleLogin:
    """`/console/api/session`, `login` and `logout`.

    Args:
        admin: the id of the caller's admin key, empty where none is needed, None if it has none.
        is_open: whether everybody who reaches the port is an admin.
        has_admins: whether there is an admin key at all.
    """

    def __init__(
        self,
        sessions: Sessions,
        locks: Locks,
        tries: Tries,
        settings: ConsoleSettings,
        *,
        admin: Callable[[Exchange], str | None],
        is_open: Callable[[], bool],
        has_admins: Callable[[], bool],
    ) -> None:
        self._sessions = sessions
        self._locks = locks
        self._tries = tries
        self._settings = settings
        self._admin = admin
        self._is_open = is_open
        self._has_admins = has_admins

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/console/api/session", self.session, by_desk=False),
            Route("POST", LOGIN, self.login, by_desk=False),
            Route("POST", LOGOUT, self.logout, by_desk=False),
        ]

    async def session(self, exchange: Exchange) -> None:
        """GET /console/api/session"""
        visitor = exchange.visitor
        role = None if self._admin(exchange) is None else "admin"
        await exchange.answer_json(200, self._told(visitor, role), [*PRIVATE])

    async def login(self, exchange: Exchange) -> None:
        """POST /console/api/login"""
        key, address = await _key(exchange), self._address(exchange)
        if (wait_s := await self._tries.take(address)) > 0:
            raise RateLimited(
                "Too many wrong keys lately; try again later.",
                code="too_many_logins",
                retry_after_s=wait_s,
            )
        opens = self._locks.role_of(key)
        if opens is None:
            log.warning("console: a wrong key from %r", address)
            raise Unauthorized("This key does not open the console.", code="wrong_key")
        await self._tries.give_back(address)
        try:
            value, visitor = await self._sessions.open(*opens)
        except NoSecret:
            raise _away("No session can be opened while Redis is away.") from None
        log.info("console: %s %s logged in from %r", *opens, address)
        kept = cookie.kept(value, self._settings.session_s, is_https=is_https(exchange))
        head: Headers = [(b"set-cookie", kept.encode()), *PRIVATE]
        await exchange.answer_json(200, self._told(visitor, visitor.role), head)

    async def logout(self, exchange: Exchange) -> None:
        """POST /console/api/logout"""
        forgotten = cookie.forgotten(is_https=is_https(exchange))
        visitor = exchange.visitor
        if visitor is not None:
            try:
                await self._sessions.end(visitor)
            except StoreUnavailable:
                why = "This browser has forgotten the session, but Redis is away: a copy of it "
                raise _away(f"{why}could look until it ends.", {"set-cookie": forgotten}) from None
            log.info("console: %s %s logged out", visitor.role, visitor.key_id)
        role = "admin" if self._is_open() else None
        head: Headers = [(b"set-cookie", forgotten.encode()), *PRIVATE]
        await exchange.answer_json(200, self._told(None, role), head)

    def _told(self, visitor: Visitor | None, role: str | None) -> dict[str, Any]:
        return {
            "role": role if visitor is None else visitor.role,
            "open": self._is_open(),
            "login": self._has_admins() or self._locks.has_viewer,
            "csrf": "" if visitor is None else visitor.csrf,
            "expires_at": 0 if visitor is None else visitor.ends_at,
            "language": self._settings.language,
            "version": serve_app.__version__,
        }

    def _address(self, exchange: Exchange) -> str:
        """Of the caller, as far as it is known."""
        told = exchange.header(b"x-forwarded-for") if self._settings.trust_proxy else None
        if told:
            return told.rpartition(",")[2].strip()[:64]
        return str(exchange.client[0])[:64] if exchange.client else "unknown"


async def _key(exchange: Exchange) -> str:
    """
    Raises:
        BadRequest: no key in JSON. Other types of content are refused, because a form of a strange
            page could send them.
        RequestTimeout: it does not come.
    """
    content_type = (exchange.header(b"content-type") or "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise BadRequest("The content type of a login is 'application/json'.")
    try:
        async with asyncio.timeout(_BODY_LIMIT_S):
            return _login.decode(await exchange.body(_MAX_BODY_BYTES)).key
    except TimeoutError:
        raise RequestTimeout("The request's body did not arrive in time") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest('A login is {"key": "..."}.', param="key") from None


def _away(message: str, headers: dict[str, str] | None = None) -> Overloaded:
    return Overloaded(
        message, code="sessions_unavailable", retry_after_s=1.0, headers=headers or {}
    )

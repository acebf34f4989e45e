"""Who comes with a cookie of the console: known before any route is asked, or sent away."""

from __future__ import annotations

import hmac
from typing import Final, Protocol

from serve_app.admission.auth import gives_key
from serve_app.console import cookie
from serve_app.core.errors import Blocked, Overloaded
from serve_app.core.visitor import Visitor
from serve_app.ingress.http import Exchange

LOGIN: Final = "/console/api/login"
LOGOUT: Final = "/console/api/logout"

CSRF: Final = b"x-serve-app-csrf"

_READING: Final = frozenset({"GET", "HEAD"})
_ELSEWHERE: Final = frozenset({b"cross-site", b"same-site"})


class Known(Protocol):
    """Who has a session; see `console.sessions.Sessions`."""

    async def visitor(self, value: str) -> Visitor | None: ...


class Doorman:
    """Puts the visitor on an exchange whose cookie is a session's.

    What a browser sends by itself, a strange page may have made it send. So whoever has no key in
    a header, and changes something, says with it what only our own page knows; and where nobody
    needs a key, pages from elsewhere change nothing.
    """

    def __init__(self, sessions: Known) -> None:
        self._sessions = sessions

    async def look(self, exchange: Exchange) -> None:
        """
        Raises:
            Blocked: something would be changed, without a right to.
            Overloaded: nobody can say whether the session has been ended.
        """
        headers = exchange.headers
        has_cookie = cookie.MARK in headers.get(b"cookie", b"")
        if not has_cookie and b"sec-fetch-site" not in headers:
            return
        if gives_key(exchange.header(b"authorization"), exchange.header(b"x-api-key")):
            return
        if exchange.method not in _READING:
            _check_origin(exchange)
        if has_cookie and exchange.path != LOGIN:
            exchange.visitor = await self._visitor(exchange)

    async def _visitor(self, exchange: Exchange) -> Visitor | None:
        value = cookie.found(exchange.header(b"cookie") or "", is_https=is_https(exchange))
        visitor = None if value is None else await self._sessions.visitor(value)
        if visitor is not None and exchange.method not in _READING:
            _check_change(exchange, visitor)
        return visitor


def is_https(exchange: Exchange) -> bool:
    """Whether the caller came over https, to us or to the proxy in front of us. A caller that lies
    only makes its own cookie stricter."""
    told = (exchange.header(b"x-forwarded-proto") or "").partition(",")[0].strip()
    return (told or exchange.scheme) == "https"


def _check_origin(exchange: Exchange) -> None:
    """Browsers say where a request comes from (https://www.w3.org/TR/fetch-metadata/)."""
    if exchange.headers.get(b"sec-fetch-site") in _ELSEWHERE:
        raise Blocked("A page of another site may not ask this.", code="cross_site")


def _check_change(exchange: Exchange, visitor: Visitor) -> None:
    given = exchange.headers.get(CSRF, b"")
    if not hmac.compare_digest(visitor.csrf.encode(), given):
        raise Blocked(
            f"With a session, changes need the header {CSRF.decode()!r}; "
            "GET /console/api/session says its value.",
            code="csrf_missing",
        )
    if exchange.path == LOGOUT:
        return
    if visitor.role == "viewer":
        raise Blocked("This session may look, and change nothing.", code="viewer_may_not_change")
    if not visitor.is_sure:
        raise Overloaded(
            "While Redis is away, sessions may only look. With an admin key in a header, "
            "everything goes on.",
            code="sessions_unavailable",
            retry_after_s=1.0,
        )

"""The page of the console and its files, from memory."""

from __future__ import annotations

from typing import Final

from serve_app.console.pages import Page, Pages
from serve_app.core.errors import NotFound
from serve_app.ingress.http import Exchange, Headers
from serve_app.ingress.router import Route

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)

GUARDED: Final[Headers] = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
"""What browsers are told with everything below `/console`: nothing from elsewhere, nothing
inline, in no frame."""


class ConsolePages:
    """`/console` and the files below it; `/` leads there."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/", self.lead, by_desk=False),
            Route("GET", "/console", self.show, by_desk=False),
            Route("GET", "/console/{name...}", self.show, by_desk=False),
        ]

    async def lead(self, exchange: Exchange) -> None:
        """GET /"""
        await exchange.answer(302, b"", [(b"location", b"/console"), *GUARDED])

    async def show(self, exchange: Exchange) -> None:
        """GET /console, GET /console/{name...}"""
        name = exchange.params.get("name", "")
        page = self._pages.find(name)
        if page is None:
            raise NotFound(f"There is no {exchange.path[:80]!r}; the console is at '/console'")
        if _has_it(exchange, page):
            await exchange.answer(304, b"", _head(page))
            return
        content_type = (b"content-type", page.content_type.encode())
        await exchange.answer(200, page.body, [content_type, *_head(page)])


def _head(page: Page) -> Headers:
    if page.is_html:  # it names the other files: an old one would look for old ones
        return [(b"cache-control", b"no-store"), *GUARDED]
    return [(b"cache-control", b"no-cache"), (b"etag", page.etag.encode()), *GUARDED]


def _has_it(exchange: Exchange, page: Page) -> bool:
    """RFC 9110, 13.1.2; the proxy in front may have made the tag a weak one."""
    told = exchange.header(b"if-none-match") or ""
    tags = {tag.strip().removeprefix("W/") for tag in told.split(",")}
    return not page.is_html and page.etag in tags

"""GET /metrics: the figures of the whole service, whichever replica is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Route


class MetricsRoute:
    """
    Args:
        expose: gives the text and its content type for an `Accept` header.
    """

    def __init__(self, expose: Callable[[str], Awaitable[tuple[bytes, str]]]) -> None:
        self._expose = expose

    def routes(self) -> list[Route]:
        return [Route("GET", "/metrics", self, by_desk=False)]

    async def __call__(self, exchange: Exchange) -> None:
        """GET /metrics, in Prometheus' text format or in OpenMetrics."""
        text, content_type = await self._expose(exchange.header(b"accept") or "")
        await exchange.answer(200, text, [(b"content-type", content_type.encode())])

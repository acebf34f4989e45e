"""What stands before Serve's own HTTP code: headers that outsiders may not speak with are taken.

Serve reads several request headers as orders to itself (a time limit of the caller's choosing,
"do not watch for a disconnect") and decodes header values without looking. Set
`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=serve_app.deployments.porch:middlewares` before Ray
starts, on every node; `serve-app up` and cluster.yaml do.
"""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.ingress.http import REQUEST_ID

ORDERS = frozenset(
    {
        b"x-request-timeout-seconds",
        b"x-request-disconnect-disabled",
        b"x-session-id",
        b"x-serve-multiplexed-model-id",
        b"serve-multiplexed-model-id",
    }
)
"""Request headers that change how Serve treats a request (Ray 2.60, `serve/_private`), by name
with `-`; Serve takes `_` for the same."""


class Porch:
    """Drops orders to Serve, request ids that are none, and values that are not ASCII."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [pair for pair in scope["headers"] if _may_enter(*pair)]
        await self._app(scope, receive, send)


def _may_enter(name: bytes, value: bytes) -> bool:
    if name == b"x-request-id":
        return REQUEST_ID.fullmatch(value) is not None
    return value.isascii() and name.isascii() and name.replace(b"_", b"-") not in ORDERS


def middlewares() -> list[Middleware]:
    """The callback that Serve asks for middlewares; the last one is the outermost."""
    return [Middleware(Porch)]

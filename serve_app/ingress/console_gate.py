"""What the console's JSON routes have in common: who may ask them, and how they answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serve_app.admission.auth import gives_key
from serve_app.core.errors import Blocked, Unauthorized
from serve_app.ingress.console_login import PRIVATE
from serve_app.ingress.http import Exchange


class Gate:
    """
    Args:
        is_admin: whether the caller of an exchange may see what is of every tenant.
    """

    def __init__(self, is_admin: Callable[[Exchange], bool]) -> None:
        self._is_admin = is_admin

    def check(self, exchange: Exchange) -> None:
        """
        Raises:
            Unauthorized: nobody is logged in.
            Blocked: the caller has a key, but no admin's.
        """
        if self._is_admin(exchange):
            return
        if gives_key(exchange.header(b"authorization"), exchange.header(b"x-api-key")):
            raise Blocked("Only an admin key opens the console.", code="admin_required")
        raise Unauthorized("Log in at /console first.", code="login_required")


async def tell(exchange: Exchange, value: Any) -> None:
    """Answer with JSON that no cache may keep."""
    await exchange.answer_json(200, value, [*PRIVATE])

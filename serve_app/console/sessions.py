"""Sessions of the console: opened with a key, sealed in a cookie, ended by logging out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from serve_app.console import seal
from serve_app.console.seal import Claims
from serve_app.console.secret import SharedSecret
from serve_app.core.clock import Clock
from serve_app.core.visitor import Role, Visitor
from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable

_MOST_ENDED: Final = 10_000
"""Sessions that this replica remembers to have ended, for the time that Redis is away."""


class NoSecret(Exception):
    """Redis has not been there since this replica started: nothing can be sealed."""


class Sessions:
    """Cookies to visitors. A cookie carries its session; Redis only holds which were ended.

    While Redis is away, what was not ended here may still look (`Visitor.is_sure`).

    Args:
        is_good: whether a key (its role and id) still opens the console: a session lives no longer
            than its key.
        lasts_s: of a session.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        is_good: Callable[[Role, str], bool],
        lasts_s: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._secret = SharedSecret(store, clock)
        self._is_good = is_good
        self._lasts_s = lasts_s
        self._ended: dict[str, int] = {}

    async def open(self, role: Role, key_id: str) -> tuple[str, Visitor]:
        """A new session: its cookie's value, and who it is.

        Raises:
            NoSecret
        """
        secret = await self._secret.current()
        if secret is None:
            raise NoSecret
        ends_at = int(self._clock.wall()) + self._lasts_s
        claims = Claims(secrets.token_hex(16), role, key_id, ends_at)
        return seal.seal(claims, secret), _visitor(claims, secret, is_sure=True)

    async def visitor(self, value: str) -> Visitor | None:
        """Whose session a cookie's value is; None: nobody's, or it is over."""
        secret = await self._secret.current()
        claims = None if secret is None else seal.opened(value, secret)
        if secret is None or claims is None or not self._holds(claims):
            return None
        try:
            is_ended = await self._store.get(keys.console_ended(claims.id))
        except StoreUnavailable:
            return _visitor(claims, secret, is_sure=False)
        return None if is_ended is not None else _visitor(claims, secret, is_sure=True)

    async def end(self, visitor: Visitor) -> None:
        """Nobody can use a session any more.

        Raises:
            StoreUnavailable: only this replica knows.
        """
        self._remember(visitor)
        left_s = visitor.ends_at - self._clock.wall()
        if left_s > 0:
            await self._store.set(keys.console_ended(visitor.id), b"1", left_s + 1)

    def _holds(self, claims: Claims) -> bool:
        is_over = claims.ends_at <= self._clock.wall() or claims.id in self._ended
        return not is_over and self._is_good(claims.role, claims.key_id)

    def _remember(self, visitor: Visitor) -> None:
        now = self._clock.wall()
        self._ended = {name: end for name, end in self._ended.items() if end > now}
        while len(self._ended) >= _MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        self._ended[visitor.id] = visitor.ends_at


def _visitor(claims: Claims, secret: bytes, *, is_sure: bool) -> Visitor:
    return Visitor(
        id=claims.id,
        role=claims.role,
        key_id=claims.key_id,
        ends_at=claims.ends_at,
        csrf=seal.csrf(claims.id, secret),
        is_sure=is_sure,
    )

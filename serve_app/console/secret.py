"""The secret that sessions are sealed with: made once, the same in every replica."""

from __future__ import annotations

import secrets
from typing import Final, cast

from serve_app.core.clock import Clock
from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable

FRESH_S: Final = 30.0
"""After so long it is asked for again: Redis may have lost it, and another replica made one."""

_BYTES: Final = 32


class SharedSecret:
    """Random bytes that stand in Redis, and are remembered while it is away."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: bytes | None = None
        self._asked_at = float("-inf")

    async def current(self) -> bytes | None:
        """The secret; None: Redis has never been there to ask."""
        now = self._clock.monotonic()
        if self._known is None or now - self._asked_at > FRESH_S:
            self._asked_at = now
            await self._ask()
        return self._known

    async def _ask(self) -> None:
        """Take over what stands there; where nothing does, put ours there."""
        key = keys.console("secret")
        ours = self._known or secrets.token_bytes(_BYTES)
        try:
            replies = await self._store.pipeline([("SET", key, ours, "NX"), ("GET", key)])
        except StoreUnavailable:
            return
        self._known = cast("bytes", replies[1])

"""What one replica of all has to do: who that is, is a lease in Redis."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from contextlib import suppress
from typing import Final

from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable

logger = logging.getLogger(__name__)

LEASE_S: Final = 10.0
"""Until somebody else takes the duty of a replica that died."""
_BEATS: Final = 4
"""Times a lease is renewed in its life."""


class Duty:
    """One replica has it, as long as it lives; then another one.

    While Redis is away nobody can take a duty, so whoever has it keeps it: alerts about a Redis
    that is gone are sent once, too. A replica that could not renew it in time, because it was
    stopped or Redis did not answer it alone, lets go of it when it hears that another one has it.

    Args:
        name: of the duty.
        replica: names this process among all of them.
    """

    def __init__(self, store: Store, name: str, replica: str, *, lease_s: float = LEASE_S) -> None:
        self._store = store
        self._key = keys.duty(name)
        self._replica = replica
        self._lease_s = lease_s
        self._task: asyncio.Task[None] | None = None
        self.is_mine = False

    def start(self) -> None:
        """Begin to take it in the background; call it in the running loop."""
        if self._task is None:
            loop, own = asyncio.get_running_loop(), contextvars.Context()
            self._task = loop.create_task(self._run(), name="duty", context=own)

    async def beat(self) -> bool:
        """Take it, or keep it; whether it is ours now."""
        try:
            taken = await self._store.script(
                "duty", [self._key], (self._replica, int(self._lease_s * 1000))
            )
        except StoreUnavailable:
            return self.is_mine
        self.is_mine = bool(taken)
        return self.is_mine

    async def close(self) -> None:
        """Stop, and let another one have it at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self.is_mine:
            self.is_mine = False
            with suppress(StoreUnavailable):
                await self._store.script("duty_leave", [self._key], (self._replica,))

    async def _run(self) -> None:
        while True:
            try:
                await self.beat()
            except Exception:  # the loop must live on, and the mistake be seen
                logger.exception("a duty could not be renewed")
            await asyncio.sleep(self._lease_s / _BEATS)

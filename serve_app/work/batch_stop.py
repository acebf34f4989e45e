"""Why a batch makes no more requests: asked before each, looked up now and then."""

from __future__ import annotations

from typing import Final

from serve_app.batches.register import Register
from serve_app.core.batch import Batch
from serve_app.core.clock import Clock
from serve_app.store.client import StoreUnavailable

_LOOK_EVERY_S: Final = 2.0


class StopSign:
    """Of one batch.

    Args:
        batch: as it stands.
    """

    def __init__(self, batch: Batch, register: Register, clock: Clock) -> None:
        self._batch = batch
        self._register = register
        self._clock = clock
        self._looked_at = clock.monotonic()

    async def why(self) -> str:
        """The code of why no more requests are made; empty: they are."""
        if self._clock.monotonic() - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = self._clock.monotonic()
            await self._look()
        if self._batch.status != "in_progress":
            return "batch_cancelled"
        return "batch_expired" if self._clock.wall() >= self._batch.terms.expires_at else ""

    async def _look(self) -> None:
        """A Redis that is away for a moment says nothing of the batch."""
        try:
            found = await self._register.find(self._batch.tenant, self._batch.id)
        except StoreUnavailable:
            return
        if found is not None:
            self._batch = found

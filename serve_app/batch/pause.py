"""The gateway said to wait: all rows do."""

from __future__ import annotations

import asyncio
import random

from serve_app.core.clock import Clock

_SPREAD = 0.25
"""Of a pause: so much longer at random, so that not all come back at the same moment."""


class Pause:
    """Holds back every request until the last pause that was asked for is over."""

    def __init__(self, clock: Clock, lot: random.Random) -> None:
        self._clock = clock
        self._lot = lot
        self._until = 0.0

    def ask(self, seconds: float) -> None:
        self._until = max(self._until, self._clock.monotonic() + seconds)

    async def over(self) -> None:
        """Returns once there is none."""
        # Not an event: while some wait, another may ask for longer.
        while (left := self._until - self._clock.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left * (1 + _SPREAD * self._lot.random()))

"""How long a worker that found nothing to do waits before it looks again."""

from __future__ import annotations

import asyncio
import random


class Idle:
    """Short pauses after work, longer and longer ones while there is none, up to `most_s`: a worker
    that idles asks Redis twice a second. What is submitted in this process ends a pause at once.

    Args:
        random: so that workers that started together do not ask together.
    """

    def __init__(
        self, random: random.Random, *, least_s: float = 0.02, most_s: float = 0.5
    ) -> None:
        self._random = random
        self._least_s = least_s
        self._most_s = most_s
        self._next_s = least_s
        self._awake = asyncio.Event()

    def found(self) -> None:
        """There was work: begin with short pauses again."""
        self._next_s = self._least_s

    def wake(self) -> None:
        """There may be work now."""
        self.found()
        self._awake.set()

    async def pause(self) -> None:
        """Wait for the time of the moment, or until `wake`; also for one since the last pause."""
        pause_s = self._next_s * self._random.uniform(0.8, 1.0)
        self._next_s = min(self._most_s, self._next_s * 2)
        try:
            async with asyncio.timeout(pause_s):
                await self._awake.wait()
        except TimeoutError:
            return
        finally:
            self._awake.clear()

"""How often somebody may try to log in: counted for all replicas, and here while Redis is away."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Final

from serve_app.core.clock import Clock
from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable

WINDOW_S: Final = 60.0
OF_ALL: Final = 60
"""Wrong keys in a window. It also bounds how many addresses are remembered."""
OF_ADDRESS: Final = 10


class Tries:
    """Counts tries that fail: one that goes well is taken back."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._alone = _Alone(clock)

    async def take(self, address: str) -> float:
        """Count a try; seconds to wait if there were too many, and it may not be made."""
        names = [keys.console("tries"), keys.console_tries(address)]
        args = (OF_ALL, OF_ADDRESS, int(WINDOW_S * 1000))
        try:
            return int(await self._store.script("console_try", names, args)) / 1000
        except StoreUnavailable:
            return self._alone.take(address)

    async def give_back(self, address: str) -> None:
        """It went well: what was wrong before is forgiven, too."""
        self._alone.forgive(address)
        with suppress(StoreUnavailable):
            forgive = [("DECR", keys.console("tries")), ("DEL", keys.console_tries(address))]
            await self._store.pipeline(forgive)


class _Alone:
    """The same, of one replica. No address is remembered for longer than a window."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends_at = 0.0
        self._made: Counter[str] = Counter()

    def take(self, address: str) -> float:
        now = self._clock.monotonic()
        if now >= self._ends_at:
            self._ends_at, self._made = now + WINDOW_S, Counter()
        if self._made[address] >= OF_ADDRESS or self._made.total() >= OF_ALL:
            return self._ends_at - now
        self._made[address] += 1
        return 0.0

    def forgive(self, address: str) -> None:
        self._made.pop(address, None)

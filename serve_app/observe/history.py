"""The last hour of the service's figures, for alert rules and for who looks at the console.

The process that has the duty appends a snapshot each five seconds to a stream in Redis. While
Redis is away it keeps them, and appends them later.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from serve_app.core.clock import Clock
from serve_app.observe.recall import LONGEST_S, Recall, packed
from serve_app.observe.snapshot import Snapshot
from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable
from serve_app.store.duty import Duty

logger = logging.getLogger(__name__)

EVERY_S: Final = 5.0
_KEPT: Final = int(LONGEST_S / EVERY_S)
_LIFE_S: Final = 2 * int(LONGEST_S)
_PAGE: Final = 20
"""Snapshots in one answer of Redis: some hundred kilobytes."""
_SKEW_S: Final = 60.0
"""So far the clocks of Redis and ours may differ."""


class History:
    """Appends what `look` sees, and reads what was appended.

    Args:
        duty: of the one process that appends.
    """

    def __init__(
        self, store: Store, duty: Duty, look: Callable[[], Awaitable[Snapshot]], clock: Clock
    ) -> None:
        self._store = store
        self._duty = duty
        self._look = look
        self._clock = clock
        self._key = keys.metrics("history")
        self._waiting: deque[Snapshot] = deque(maxlen=_KEPT)
        """Those that Redis has not got yet."""
        self._recall = Recall()
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to append in the background; call it in the running loop."""
        if self._task is None:
            loop, own = asyncio.get_running_loop(), contextvars.Context()
            self._task = loop.create_task(self._run(), name="history", context=own)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def append(self, snapshot: Snapshot) -> bool:
        """False: Redis is away, and it waits here."""
        self._waiting.append(snapshot)
        while self._waiting:
            first = self._waiting[0]
            content = await asyncio.to_thread(packed, first)
            try:
                await self._store.pipeline(
                    [
                        ("XADD", self._key, "MAXLEN", "~", _KEPT, "*", "s", content),
                        ("EXPIRE", self._key, _LIFE_S),
                    ]
                )
            except StoreUnavailable:
                return False
            if self._waiting and self._waiting[0] is first:
                self._waiting.popleft()
        return True

    async def read(self, since_s: float) -> list[Snapshot]:
        """What was appended in the last so many seconds, oldest first.

        Of the last quarter of an hour there is a snapshot each 5 s, of what was before one each
        30 s. Without Redis: what this process has seen of it. Never raises.
        """
        since = self._clock.wall() - min(since_s, LONGEST_S)
        async with self._reading:
            try:
                await self._catch_up(since)
            except StoreUnavailable:
                logger.debug("the history could not be read: Redis is away")
            self._recall.thin(self._clock.wall())
            snapshots = [*self._recall.snapshots, *self._waiting]
        known = {snapshot.at: snapshot for snapshot in snapshots if snapshot.at >= since}
        return [known[at] for at in sorted(known)]

    async def _catch_up(self, since: float) -> None:
        """Read what is new, or everything if it does not go back far enough."""
        if since < self._recall.since:
            self._recall = Recall(since)
        begin = self._recall.last or str(max(0, int((since - _SKEW_S) * 1000)))
        while True:
            page = await self._page(begin)
            if page:
                begin = f"({page[-1][0].decode()}"
                await asyncio.to_thread(self._recall.take, [content for _, content in page])
                self._recall.last = begin
            if len(page) < _PAGE:
                return

    async def _page(self, begin: str) -> list[tuple[bytes, bytes]]:
        """Ids and contents, from an id on."""
        command = ("XRANGE", self._key, begin, "+", "COUNT", _PAGE)
        [entries] = await self._store.pipeline([command])
        return [(entry, content[b"s"]) for entry, content in entries]

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            if self._duty.is_mine:
                try:
                    await self.append(await self._look())
                except Exception:  # the loop must live on, and the mistake be seen
                    logger.exception("a snapshot of the metrics could not be kept")

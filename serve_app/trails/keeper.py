"""The keeper: takes the trails of requests that are over to where they are kept, once a second."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Final

from serve_app.config.trails_policy import TrailsPolicy
from serve_app.core.clock import Clock
from serve_app.core.settlement import Settlement
from serve_app.observe.observer import RequestEnd
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable
from serve_app.trails.archive import Archive, Entry
from serve_app.trails.document import Document, kept, packed

logger = logging.getLogger(__name__)

_EVERY_S: Final = 1.0
_PATIENCE: Final = 30
"""Seconds of trails that wait while Redis is away."""
_PAUSE_AFTER: Final = 20
"""Trails that are packed without a pause: about a millisecond."""


class Keeper:
    """Keeps trails, a bounded number of them. A sink (see `observe/observer.py`)."""

    def __init__(self, policy: TrailsPolicy, store: Store, clock: Clock) -> None:
        self.lost = 0
        """Trails that were to be kept and could not."""
        self._policy = policy
        self._archive = Archive(store, clock, lambda: self._policy.keep_s)
        self._worth: list[RequestEnd] = []
        """Of requests that failed or were slow."""
        self._others: list[RequestEnd] = []
        self._strangers: list[RequestEnd] = []
        """Of requests that were refused before anybody knew whose they were: a flood of them must
        leave room for the others."""
        self._waiting: list[Entry] = []
        self._room = policy.per_second
        """So many more may be kept in this second."""
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work in the background; call it in the running loop."""
        if self._task is None:
            loop, own = asyncio.get_running_loop(), contextvars.Context()
            self._task = loop.create_task(self._run(), name="trails", context=own)

    def reconfigure(self, policy: TrailsPolicy) -> None:
        """Use another policy from now on."""
        self._policy = policy

    def take(self, ends: list[RequestEnd], settled: list[Settlement]) -> None:
        """Note whose trails are to be kept; of more than there is room for, the good and quick
        ones are left out. Those that no stage had anything to say of have none."""
        policy = self._policy
        if not policy.enabled:
            return
        worth, others, most = self._worth, self._others, policy.per_second
        strangers = self._strangers
        for end in ends:
            if not end.tenant and end.error:
                if len(strangers) < most:
                    strangers.append(end)
            elif end.error or end.status >= 500 or end.duration_s >= policy.slow_s:
                if len(worth) < most:
                    worth.append(end)
            elif end.trail.notes and len(others) < most:
                others.append(end)

    async def find(self, tenant: str | None, request_id: str) -> Document | None:
        """See `Archive.find`."""
        return await self._archive.find(tenant, request_id)

    async def flush(self) -> None:
        """Keep what has gathered; what Redis does not take now waits for the next time."""
        async with self._turn:
            await self._pack()
            if not self._waiting:
                return
            try:
                await self._archive.put(self._waiting)
            except StoreUnavailable:
                self._give_up_some()
                return
            self._waiting = []

    async def _pack(self) -> None:
        """What has gathered since the last time, as entries, the more telling first."""
        worth, self._worth = self._worth, []
        others, self._others = self._others, []
        strangers, self._strangers = self._strangers, []
        chosen = [*worth, *others, *strangers][: self._room]
        self._room -= len(chosen)
        for number, end in enumerate(chosen, 1):
            made = packed(kept(end), self._policy.max_bytes)
            self._waiting.append(Entry(end.tenant, end.trail.request_id, made))
            if number % _PAUSE_AFTER == 0:
                await asyncio.sleep(0)

    def _give_up_some(self) -> None:
        """The oldest go, where there are too many."""
        too_many = len(self._waiting) - self._policy.per_second * _PATIENCE
        if too_many > 0:
            self.lost += too_many
            del self._waiting[:too_many]

    async def close(self) -> None:
        """Keep what has gathered, and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        await self.flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            self._room = self._policy.per_second
            try:
                await self.flush()
            except Exception:  # the loop must live on, and the mistake be seen
                logger.exception("trails could not be kept")

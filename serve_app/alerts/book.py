"""The state of alerts in the hands of who watches: in memory, and in Redis whenever it is there."""

from __future__ import annotations

import asyncio
import logging

from serve_app.alerts.handover import handed_over
from serve_app.alerts.shelf import Overtaken, Shelf
from serve_app.alerts.state import MAX_EVENTS, Event, State, Waiting
from serve_app.core.clock import Clock
from serve_app.store.errors import StoreUnavailable

logger = logging.getLogger(__name__)

_HAND_IN_TRIES = 3


class Book:
    """Open while this process has the duty. Changes are made to `state`, then saved."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._saving = asyncio.Lock()
        self._events: list[Event] = []
        self._away_since: float | None = None
        """Since when nothing could be kept, in Unix seconds."""
        self.state: State | None = None

    async def open(self) -> bool:
        """Go on with what was kept; False: Redis is away, and nothing is known yet."""
        if self.state is None:
            try:
                self.state = await self._shelf.read()
            except StoreUnavailable:
                return False
        return True

    def happened(self, events: list[Event]) -> None:
        """What the history is to have; kept with the next save."""
        self._events = [*self._events, *events][-MAX_EVENTS:]

    def recent(self) -> list[Event]:
        """What the history in Redis does not have yet, newest first."""
        return self._events[::-1]

    async def save(self) -> bool:
        """Keep the state. False: somebody else has gone on with it, and `state` is theirs now."""
        async with self._saving:
            if self.state is None:
                return False
            events = self._events
            try:
                await self._shelf.save(self.state, events)
            except StoreUnavailable:
                if self._away_since is None:
                    self._away_since = self._clock.wall()
                return True
            except Overtaken:
                await self._give_way()
                return False
            self._events = self._events[len(events) :]
            self._away_since = None
            return True

    async def close(self) -> None:
        """Somebody else goes on with it, or nobody does: keep what is not kept, and forget it."""
        await self.save()
        if self._away_since is None:
            self.state = None

    def find(self, channel: str, notice_id: str) -> Waiting | None:
        """A message that waits."""
        outbox = [] if self.state is None else self.state.outbox.get(channel, [])
        return next((one for one in outbox if one.notice.id == notice_id), None)

    async def _give_way(self) -> None:
        """Take over their state, and give them what they cannot know."""
        ours, since = self.state, self._away_since
        self.state, self._events, self._away_since = None, [], None
        for _ in range(_HAND_IN_TRIES):
            try:
                theirs = await self._shelf.read()
                if since is not None and ours is not None:
                    await self._shelf.save(handed_over(theirs, ours, since), [])
            except Overtaken:
                continue
            except StoreUnavailable:
                logger.warning("alerts: another process goes on; Redis did not answer this one")
                return
            self.state = theirs
            return

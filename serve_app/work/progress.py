"""What a task has to tell while it runs: text gathers for a moment, then it is an event."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import Claim, TaskQueue

log = logging.getLogger(__name__)

EVERY_S = 0.2
"""Between two events of text: quick to a reader, and few for Redis."""
_AT_ONCE_CHARS = 1024
_MOST_CHARS = 256 * 1024
"""Gathered while Redis is away; what comes on top is left out, the result has it."""


class Progress:
    """Of one claim. Telling never fails: progress is a courtesy, the result is what counts."""

    def __init__(self, queue: TaskQueue, claim: Claim) -> None:
        self._queue = queue
        self._claim = claim
        self._pieces: list[str] = []
        self._chars = 0
        self._telling = asyncio.Lock()
        self.is_lost = False
        """The claim is not ours any more."""

    @property
    def is_waiting(self) -> bool:
        """Whether there is something that nobody was told."""
        return bool(self._pieces)

    async def text(self, piece: str) -> None:
        """The next piece of an answer."""
        if self._chars < _MOST_CHARS:
            self._pieces.append(piece)
            self._chars += len(piece)
        if self._chars >= _AT_ONCE_CHARS and not self._telling.locked():
            await self.flush()

    async def event(self, data: bytes) -> None:
        """An event as it is; JSON. What was gathered before goes first."""
        async with self._telling:
            await self._tell([*self._gathered(), data])

    async def flush(self) -> None:
        """Tell what has gathered."""
        async with self._telling:
            await self._tell(self._gathered())

    def _gathered(self) -> list[bytes]:
        if not self._pieces:
            return []
        text, self._pieces, self._chars = "".join(self._pieces), [], 0
        return [msgspec.json.encode({"delta": text})]

    async def _tell(self, events: list[bytes]) -> None:
        if not events or self.is_lost:
            return
        try:
            self.is_lost = not await self._queue.progress(self._claim, events)
        except StoreUnavailable as error:
            log.info("progress of %s was not told: %s", self._claim.task.id, error.reason)

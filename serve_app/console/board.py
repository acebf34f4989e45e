"""The live view of this process: read from the history when somebody looks, made once for all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from serve_app.console.live import Live
from serve_app.console.snapshots import SPANS, Moments, Told
from serve_app.core.clock import Clock

READ_EVERY_S: Final = 1.0
_OVERLAP_S: Final = 15.0
"""Read again: what came late is not missed."""
_LONGEST_S: Final = max(length_s + 2 * step_s for length_s, step_s in SPANS.values())

Read = Callable[[float], Awaitable[Sequence[Told]]]
"""The snapshots of the last so many seconds, oldest first."""

_encode: Final = msgspec.json.Encoder().encode


class Frame(Struct, frozen=True):
    """A live view, ready to be sent."""

    at: float
    """Unix seconds of its latest snapshot; 0: there is none."""
    body: bytes


class Board:
    """Hands out live views. However many look, the history is read once a second at most, and a
    view is made once for each snapshot and window, beside the loop."""

    def __init__(self, read: Read, live: Live, clock: Clock) -> None:
        self._read = read
        self._live = live
        self._clock = clock
        self._moments = Moments(live.counted)
        self._frames: dict[str, Frame] = {}
        self._read_at = float("-inf")
        self._turn = asyncio.Lock()

    async def frame(self, window: str) -> Frame:
        """The live view of a window.

        Args:
            window: one of `SPANS`.
        """
        async with self._turn:
            await self._refresh()
            frame = self._frames.get(window)
            if frame is None:
                frame = self._frames[window] = await self._made(window)
        return frame

    async def _refresh(self) -> None:
        now = self._clock.monotonic()
        if now - self._read_at < READ_EVERY_S:
            return
        latest = self._moments.latest
        since_s = _LONGEST_S
        if latest is not None:
            since_s = min(_LONGEST_S, self._clock.wall() - latest.at + _OVERLAP_S)
        told = await self._read(max(since_s, _OVERLAP_S))
        self._read_at = self._clock.monotonic()
        if await asyncio.to_thread(self._moments.take, told):
            self._frames = {}

    async def _made(self, window: str) -> Frame:
        moments = self._moments.during(window)
        now = self._clock.wall()
        body = await asyncio.to_thread(lambda: _encode(self._live.view(window, moments, now)))
        return Frame(moments[-1].at if moments else 0.0, body)

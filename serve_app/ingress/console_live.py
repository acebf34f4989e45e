"""The routes of the live view: once, or as a stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final, Protocol

from serve_app.console.board import Frame
from serve_app.console.snapshots import SPANS
from serve_app.core.errors import BadRequest, Overloaded
from serve_app.ingress.console_gate import Gate
from serve_app.ingress.console_login import PRIVATE
from serve_app.ingress.console_pages import GUARDED
from serve_app.ingress.http import JSON, Exchange
from serve_app.ingress.router import Route
from serve_app.store.errors import StoreUnavailable
from serve_app.wire.query import read_terms

MOST_LISTENERS: Final = 32
"""At once, of one replica."""
_LOOK_EVERY_S: Final = 1.0
_STILL_HERE_S: Final = 15.0
"""So often something is sent, that no proxy takes the stream for dead."""
_LONGEST_S: Final = 1200.0
"""A stream ends after half of it, and browsers come again; after all of it, it is cut off."""


class Views(Protocol):
    """Who makes live views; see `console.board.Board`."""

    async def frame(self, window: str) -> Frame: ...


class ConsoleLive:
    """`/console/api/live` and its events.

    Args:
        leaving: whether this replica takes no new work: its listeners go elsewhere.
    """

    def __init__(self, gate: Gate, views: Views, leaving: Callable[[], bool]) -> None:
        self._gate = gate
        self._views = views
        self._leaving = leaving
        self._listeners = 0

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/console/api/live", self.live, by_desk=False),
            Route("GET", "/console/api/live/events", self.events, by_desk=False),
        ]

    async def live(self, exchange: Exchange) -> None:
        """GET /console/api/live?window="""
        self._gate.check(exchange)
        frame = await self._frame(_window(exchange))
        await exchange.answer(200, frame.body, [JSON, *PRIVATE])

    async def events(self, exchange: Exchange) -> None:
        """GET /console/api/live/events?window=: a view for each new snapshot."""
        self._gate.check(exchange)
        window = _window(exchange)
        first = await self._frame(window)
        if self._listeners >= MOST_LISTENERS:
            raise Overloaded(
                f"{MOST_LISTENERS} pages listen to this replica already; ask /console/api/live.",
                code="too_many_listeners",
                retry_after_s=5.0,
            )
        self._listeners += 1
        gone = asyncio.create_task(exchange.left(), name="console listener")
        try:
            async with asyncio.timeout(_LONGEST_S):
                told = self._told(window, first, gone)
                await exchange.answer_stream(told, [*GUARDED])
        except TimeoutError:  # the page takes nothing any more
            return
        finally:
            self._listeners -= 1
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _told(
        self, window: str, frame: Frame, gone: asyncio.Task[None]
    ) -> AsyncGenerator[bytes, None]:
        """
        Args:
            gone: done when the page has left.
        """
        loop = asyncio.get_running_loop()
        yield b"retry: 3000\n" + _event(frame)
        told_at = loop.time()
        ends_at = told_at + _LONGEST_S / 2
        while loop.time() < ends_at and not self._leaving():
            await asyncio.wait([gone], timeout=_LOOK_EVERY_S)
            if gone.done():
                return
            before, frame = frame, await self._frame(window)
            if frame.at != before.at:
                yield _event(frame)
                told_at = loop.time()
            elif loop.time() - told_at >= _STILL_HERE_S:
                yield b": still here\n\n"
                told_at = loop.time()

    async def _frame(self, window: str) -> Frame:
        try:
            return await self._views.frame(window)
        except StoreUnavailable as error:
            raise Overloaded(
                "The history of figures cannot be read at the moment.",
                code="history_unavailable",
                retry_after_s=1.0,
            ) from error


def _window(exchange: Exchange) -> str:
    window = read_terms(exchange.query, ("window",)).get("window", "5m")
    if window not in SPANS:
        raise BadRequest(f"window is one of {', '.join(SPANS)}", param="window")
    return window


def _event(frame: Frame) -> bytes:
    return b"event: live\ndata: " + frame.body + b"\n\n"

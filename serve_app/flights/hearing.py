"""Asks Redis for news of the flights that other replicas lead, all of them in one round trip."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from typing import Any, Final

from msgspec import Struct

from serve_app.flights.lease import LEASE_MS
from serve_app.store.client import Call, Store, StoreUnavailable

log = logging.getLogger(__name__)

WANTED_MS: Final = 1000
"""How long the wish to hear lives; it is renewed by each question."""

ELEMENTS: Final = 200
"""At most, in one answer."""

GAP_S: Final = 0.02
"""Least time between two round trips."""

AFTER_BUG_S: Final = 1.0
_AT_ONCE: Final = 256


class Heard(Struct, frozen=True):
    holder: str
    """Who leads; empty: nobody."""
    length: int
    """Elements that the list has."""
    is_marked: bool
    """The list has its last element."""
    elements: list[bytes]


class Hearing:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[tuple[Call, asyncio.Future[Heard | None]]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(
            self._run(), name="flight news", context=contextvars.Context()
        )

    async def close(self) -> None:
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait([task])

    async def hear(self, keys: list[str], known: int, take: str) -> Heard | None:
        """News of one flight; None: Redis does not answer.

        Args:
            keys: see `flight_keys`.
            known: elements that are known already.
            take: who takes the lease if it is gone; empty: nobody.
        """
        future = asyncio.get_running_loop().create_future()
        call: Call = (keys, [known, ELEMENTS, WANTED_MS, take, LEASE_MS])
        self._waiting.append((call, future))
        self._wake.set()
        heard: Heard | None = await future
        return heard

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._round()
                await asyncio.sleep(GAP_S)

    async def _round(self) -> None:
        size = min(len(self._waiting), _AT_ONCE)
        taken = [self._waiting.popleft() for _ in range(size)]
        taken = [(call, future) for call, future in taken if not future.done()]
        if not taken:
            return
        replies: list[Any] = [None] * len(taken)
        try:
            replies = await self._store.scripts("flight_hear", [call for call, _ in taken])
        except StoreUnavailable:
            pass
        except Exception:  # the loop must live on, and the mistake be seen
            log.exception("flights of other replicas could not be heard")
            await asyncio.sleep(AFTER_BUG_S)
        for (_, future), reply in zip(taken, replies, strict=True):
            if not future.done():
                future.set_result(_heard(reply) if isinstance(reply, list) else None)


def _heard(reply: list[Any]) -> Heard:
    holder, length, is_marked, elements = reply
    return Heard(holder.decode(), length, bool(is_marked), elements)

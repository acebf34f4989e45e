"""Round trips that many share: what is asked while one is under way goes with the next, together.

A lone question goes at once; under load one trip carries dozens, and each costs a fraction of the
microseconds that a trip of its own takes here and at the server.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

from serve_app.core.turns import a_moment
from serve_app.store.errors import StoreUnavailable

log = logging.getLogger(__name__)

Asked = TypeVar("Asked")
Told = TypeVar("Told")

TRIP: Final = 64
"""Questions in one round trip: a few milliseconds of Redis's time."""


class Trips(Generic[Asked, Told]):
    """Carries the questions of one process, a round trip at a time.

    Args:
        name: of the task that carries, and in the log.
        carry: takes the questions of one trip to Redis; what is told to each, in their order. A
            failure of its own is told to all of them.
        unheard: is given what was told to somebody who had gone meanwhile.
    """

    def __init__(
        self,
        name: str,
        carry: Callable[[list[Asked]], Awaitable[Sequence[Told | StoreUnavailable]]],
        unheard: Callable[[Told], None] | None = None,
    ) -> None:
        self._name = name
        self._carry = carry
        self._unheard = unheard
        self._waiting: deque[tuple[Asked, asyncio.Future[Told | StoreUnavailable]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Asked) -> Told:
        """What is told to a question.

        Raises:
            StoreUnavailable: it may have had its effect all the same.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Told | StoreUnavailable] = loop.create_future()
        self._waiting.append((question, told))
        if self._task is None:
            # Whoever happens to ask first lends it neither its context nor its end.
            self._task = loop.create_task(
                self._run(), name=self._name, context=contextvars.Context()
            )
        found = await told
        if isinstance(found, StoreUnavailable):
            raise StoreUnavailable(found.reason)
        return found

    async def close(self) -> None:
        """Give up what is asked; those who wait are told."""
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                await a_moment()
                await self._trip()
        finally:
            self._task = None
            _tell(self._waiting, StoreUnavailable("closed"))
            self._waiting.clear()

    async def _trip(self) -> None:
        count = min(len(self._waiting), TRIP)
        taken = [self._waiting.popleft() for _ in range(count)]
        taken = [one for one in taken if not one[1].done()]  # the others have gone
        if not taken:
            return
        try:
            found = await self._carry([question for question, _ in taken])
            for (_, told), one in zip(taken, found, strict=True):
                if not told.done():
                    told.set_result(one)
                elif self._unheard is not None and not isinstance(one, StoreUnavailable):
                    self._unheard(one)
        except StoreUnavailable as error:
            _tell(taken, error)
        except asyncio.CancelledError:
            _tell(taken, StoreUnavailable("closed"))
            raise
        except Exception as error:  # the next ones must go on, and the mistake be seen
            log.exception("%s failed", self._name)
            _tell(taken, StoreUnavailable(type(error).__name__))


def _tell(waiting: Iterable[tuple[object, asyncio.Future[Any]]], failure: StoreUnavailable) -> None:
    for _, told in waiting:
        if not told.done():
            told.set_result(failure)

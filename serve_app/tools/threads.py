"""Functions that block, called from an event loop, with a limit on their time and number."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

MOST_CALLS = 16
"""Calls of one function at once. One that never returns keeps its place: Python cannot end it."""


class Full(Exception):
    """Too many calls have not come back."""


class Places:
    """Runs calls of one function, each in a thread of its own.

    Not in a pool: a call that never returns blocks neither those behind it nor the end of the
    process, and a thread costs 0.1 ms.
    """

    def __init__(self, limit: int = MOST_CALLS) -> None:
        self._free = limit

    async def run(self, function: Callable[[], Any]) -> Any:
        """What the function returns or raises. Who is cancelled leaves the thread to itself.

        Raises:
            Full: nothing was called.
        """
        if self._free <= 0:
            raise Full
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._free -= 1
        try:
            threading.Thread(target=self._call, args=(function, loop, answer), daemon=True).start()
        except RuntimeError:
            self._free += 1
            raise Full from None
        return await answer

    def _call(
        self,
        function: Callable[[], Any],
        loop: asyncio.AbstractEventLoop,
        answer: asyncio.Future[Any],
    ) -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001 - code of others; its caller is told
            error = raised
        try:
            loop.call_soon_threadsafe(self._back, answer, result, error)
        except RuntimeError:  # the loop is closed: nobody waits
            return

    def _back(self, answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._free += 1
        if answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(_plain(error))


def _plain(error: BaseException) -> Exception:
    """An error that a future can carry; what would end the process or the loop must not."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(type(error).__name__)

"""A time limit that does not blame Redis for a busy event loop."""

from __future__ import annotations

import asyncio
from types import TracebackType

# Making a connection takes several turns of the loop even if Redis answers at once. On an idle
# loop turns cost microseconds; in a saturated process they can cost more than the limit.
_GRACE_TURNS = 4


class TimeLimit:
    """`async with TimeLimit(seconds)`: like `asyncio.timeout`, and a few turns of the loop more.

    Without the extra turns a busy process could not connect to a healthy Redis: each attempt
    would be cut off in the middle and begin anew.

    Raises:
        TimeoutError: the body was cancelled because the limit passed.
    """

    __slots__ = ("_done", "_loop", "_seconds", "_timeout", "_timer", "has_passed")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._done = False
        self.has_passed = False
        """Why the body is being cancelled."""

    @property
    def left_s(self) -> float:
        return self._timer.when() - self._loop.time()

    @property
    def reason(self) -> str:
        return f"no answer in {self._seconds:.3g} s"

    async def __aenter__(self) -> TimeLimit:
        self._timeout = asyncio.timeout(None)
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._seconds, self._passed, _GRACE_TURNS)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done = True
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _passed(self, turns: int) -> None:
        if self._done:
            return
        if turns:
            self._loop.call_soon(self._passed, turns - 1)
        else:
            self.has_passed = True
            self._timeout.reschedule(self._loop.time())

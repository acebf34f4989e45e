"""Turns at a model that can do only so much at once: who waits, who is next, who is sent away.

`interactive` calls come before `batch` ones, of which one in `BATCH_EVERY` turns goes to the
batch; inside a class tenants take turns (`line.py`). The queue is short on purpose: whoever
cannot expect a turn in time hears so at once, while another model or a later moment can still
help. When all places are taken, they go by the same rule as turns do: the longest queue gives
one up for who has less (longest queue drop: Suter et al. 1998, `fq_codel`'s rule in RFC 8290).

Time is that of the running loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Literal

from serve_app.backends.base import BUSY, AttemptFailed
from serve_app.backends.line import Line, Waiter
from serve_app.core.types import Priority
from serve_app.core.vital import Queue

BATCH_EVERY: Final = 16
"""While both classes wait, batch calls have one of so many turns, and of so many places."""

WAIT_SHARE: Final = 0.5
"""Of the time that a call has left it may wait so much: the answer needs time, too."""

GAIN: Final = 0.1
"""Weight of the newest turn in the moving mean of what turns take."""

MIN_RETRY_S: Final = 1.0
MAX_RETRY_S: Final = 60.0

Why = Literal["full", "slow", "late", "displaced"]
"""Why a call got no turn: no place to wait, none to be expected in time, none came in time,
its place was given to somebody who had less."""

_TURN: Final = ""

_WORDS: Final[dict[str, str]] = {
    "full": "its queue is full",
    "slow": "no turn can be expected in time",
    "late": "no turn came in time",
    "displaced": "its queue is full, and others had fewer places in it",
}


class Turns:
    """At most `limit` calls have a turn at once; the others wait, within bounds.

    Somebody waits only while no turn is free.

    Args:
        max_waiting: calls that may wait, of all tenants and classes; 0: nobody waits.
        max_wait_s: longest wait for a turn.
        max_waiting_each: calls of one tenant that may wait in a class; None: as many as fit.
        weights: see `Line`; 1 or more.
    """

    __slots__ = (
        "_batch", "_interactive", "_limit", "_max_wait_s", "_max_waiting", "_max_waiting_each",
        "_mean_s", "_passed_over", "_refused", "_running", "_shares", "_timed",
    )  # fmt: skip

    def __init__(
        self,
        limit: int,
        *,
        max_waiting: int,
        max_wait_s: float,
        max_waiting_each: int | None = None,
        weights: Mapping[str, int] | None = None,
    ) -> None:
        self._limit = limit
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._max_waiting_each = max_waiting if max_waiting_each is None else max_waiting_each
        self._interactive = Line(weights or {})
        self._batch = Line(weights or {})
        self._running = 0
        self._passed_over = 0
        """Turns that interactive calls got since a batch call that waits got one."""
        self._mean_s = 0.0
        self._timed = 0
        self._refused: dict[tuple[Priority, str], int] = {}
        # Where there are two places or more, each class has one that the other cannot take.
        batch = max(0, min(max(1, max_waiting // BATCH_EVERY), max_waiting - 1))
        self._shares = {self._batch: batch, self._interactive: max_waiting - batch}

    async def take(self, tenant: str, priority: Priority, left_s: float) -> float:
        """Wait for a turn. Whoever gets one gives it back, once.

        Args:
            left_s: seconds until the answer must be there.

        Returns:
            When it began, for `give_back`.

        Raises:
            AttemptFailed: there is none in time; code `BUSY`.
        """
        loop = asyncio.get_running_loop()
        if self._running < self._limit:
            self._running += 1
            return loop.time()
        limit_s = min(self._max_wait_s, left_s * WAIT_SHARE)
        waiter = Waiter(tenant, self._line(priority), loop.create_future())
        why: str | None = self._turned_away(waiter, limit_s)
        if why is None:
            waiter.line.add(waiter)
            why = await self._answer(waiter, limit_s, loop)
        if why:
            raise self._busy(priority, tenant, why)
        return loop.time()

    def give_back(self, began: float) -> None:
        """End a turn; it goes to who is next."""
        self._timed += 1
        seconds = asyncio.get_running_loop().time() - began
        self._mean_s += (seconds - self._mean_s) * max(GAIN, 1.0 / self._timed)
        self._pass_on()

    def state(self) -> Queue:
        """How many have a turn, wait, and were sent away so far."""
        waiting: dict[Priority, int] = {
            "interactive": len(self._interactive),
            "batch": len(self._batch),
        }
        return Queue(self._running, waiting, dict(self._refused))

    # ------------------------------------------------------------------ waiting

    async def _answer(self, waiter: Waiter, limit_s: float, loop: asyncio.AbstractEventLoop) -> str:
        timer = loop.call_later(limit_s, self._send_away, waiter, "late")
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            if not waiter.line.discard(waiter) and _has_turn(waiter):
                self._pass_on()
            raise
        finally:
            timer.cancel()

    def _pass_on(self) -> None:
        """A turn is free: it is that of who is next, or of nobody."""
        while (waiter := self._next()) is not None:
            if not waiter.answer.done():  # else it was cancelled, and will find that out
                waiter.answer.set_result(_TURN)
                return
        self._running -= 1

    def _next(self) -> Waiter | None:
        interactive, batch = self._interactive, self._batch
        if not batch:
            return interactive.next() if interactive else None
        if interactive and self._passed_over < BATCH_EVERY - 1:
            self._passed_over += 1
            return interactive.next()
        self._passed_over = 0
        return batch.next()

    def _line(self, priority: Priority) -> Line:
        return self._batch if priority == "batch" else self._interactive

    # ---------------------------------------------------------------- sending away

    def _turned_away(self, waiter: Waiter, limit_s: float) -> Why | None:
        """Why a call may not even wait; None: it may, and a place is free."""
        line, tenant = waiter.line, waiter.tenant
        if line.of(tenant) >= self._max_waiting_each:
            return "full"
        if self._expected_s(line, tenant) > limit_s:
            return "slow"
        if len(self._interactive) + len(self._batch) < self._max_waiting:
            return None
        victim = self._who_has_more(line, tenant)
        if victim is None:
            return "full"
        self._send_away(victim, "displaced")
        return None

    def _who_has_more(self, line: Line, tenant: str) -> Waiter | None:
        """Whose place a call may have while all are taken; None: nobody's."""
        other = self._batch if line is self._interactive else self._interactive
        if len(other) > self._shares[other]:
            return other.last_of_longest()
        return line.last_of_longest() if line.longest > line.of(tenant) + 1 else None

    def _send_away(self, waiter: Waiter, why: Why) -> None:
        if waiter.line.discard(waiter) and not waiter.answer.done():
            waiter.answer.set_result(why)

    def _busy(self, priority: Priority, tenant: str, why: str) -> AttemptFailed:
        self._refused[priority, why] = self._refused.get((priority, why), 0) + 1
        expected_s = self._expected_s(self._line(priority), tenant)
        return AttemptFailed(
            "transient",
            f"the local model is busy: {_WORDS[why]} "
            f"({len(self._interactive) + len(self._batch)} calls wait)",
            status=503,
            code=BUSY,
            retry_after_s=min(max(expected_s, MIN_RETRY_S), MAX_RETRY_S),
        )

    def _expected_s(self, line: Line, tenant: str) -> float:
        """Seconds until a new call would have its turn, as things are; 0 before any ended."""
        return (self._ahead(line, tenant) + 1) * self._mean_s / self._limit

    def _ahead(self, line: Line, tenant: str) -> int:
        """Turns before that of a new call."""
        ahead = line.ahead(tenant)
        if line is self._batch:
            others = (BATCH_EVERY - 1) * (ahead + 1) - self._passed_over
            return ahead + min(len(self._interactive), others)
        return ahead + min(len(self._batch), (self._passed_over + ahead) // (BATCH_EVERY - 1))


def _has_turn(waiter: Waiter) -> bool:
    answer = waiter.answer
    return answer.done() and not answer.cancelled() and answer.result() == _TURN

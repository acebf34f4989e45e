"""The front desk: how many are inside, who is stuck, and when the house closes.

One sweep a second looks after every running exchange, so that no request pays for a timer of
its own: a caller that takes nothing for too long is dropped, and when draining takes longer
than allowed, what still runs is ended with a clear error.
"""

from __future__ import annotations

import asyncio

from serve_app.core.errors import GatewayError, Overloaded, RequestTimeout
from serve_app.ingress.http import Exchange


class Desk:
    """Counts exchanges in and out.

    Args:
        limit: exchanges at once; beyond it `Overloaded`.
        body_timeout_s: a body that is not whole after so long is a `RequestTimeout`.
        write_timeout_s: a caller that takes nothing for so long is dropped.
        drain_s: after so long of draining, what still runs is ended.
    """

    def __init__(
        self, *, limit: int, body_timeout_s: float, write_timeout_s: float, drain_s: float
    ) -> None:
        self._limit = limit
        self._body_timeout_s = body_timeout_s
        self._write_timeout_s = write_timeout_s
        self._drain_s = drain_s
        self._inside: dict[asyncio.Task[object], Exchange] = {}
        self._draining_since: float | None = None
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep(), name="desk sweep")

    async def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)

    @property
    def running(self) -> int:
        return len(self._inside)

    @property
    def draining(self) -> bool:
        return self._draining_since is not None

    @property
    def draining_s(self) -> float:
        """How long it has been draining; 0: it is not."""
        since = self._draining_since
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    def drain(self, on: bool) -> None:
        """Start (or stop) refusing new work."""
        now = asyncio.get_running_loop().time()
        self._draining_since = (self._draining_since or now) if on else None

    def enter(self, exchange: Exchange) -> None:
        """Take in the exchange of the running task; `leave` when it is over.

        Raises:
            Overloaded: draining, or too many inside.
        """
        if self.draining:
            raise Overloaded("The service is shutting down", code="draining", retry_after_s=5)
        if len(self._inside) >= self._limit:
            raise Overloaded("Too many requests at once on this replica", retry_after_s=1)
        self._inside[_running_task()] = exchange

    def leave(self) -> None:
        """The running task's exchange is over. Nobody else keeps the task: one that was cancelled
        keeps its error, whose frames would keep the task."""
        del self._inside[_running_task()]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._end_overdue(asyncio.get_running_loop().time())

    def _end_overdue(self, now: float) -> None:
        overdue = _longer(self._draining_since, now, self._drain_s)
        for task, exchange in list(self._inside.items()):
            if _longer(exchange.sending_since, now, self._write_timeout_s):
                task.cancel(STUCK)
            elif _longer(exchange.reading_since, now, self._body_timeout_s):
                task.cancel(LATE)
            elif overdue:
                task.cancel(CLOSING)


def _running_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _longer(since: float | None, now: float, limit_s: float) -> bool:
    return since is not None and now - since > limit_s


STUCK = "serve-app: the caller takes nothing"
LATE = "serve-app: the body does not come"
CLOSING = "serve-app: shutting down"


def reason(error: asyncio.CancelledError) -> GatewayError | None:
    """What to tell the caller of a cancelled exchange; None if the caller itself is gone."""
    why = error.args[0] if error.args else None
    if why == CLOSING:
        return Overloaded("The service shut down in mid-answer", code="draining", retry_after_s=5)
    if why == LATE:
        return RequestTimeout("The request's body did not arrive in time")
    return None

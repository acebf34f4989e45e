"""The front desk: how many are inside, who is stuck, and when the house closes.

One sweep a second looks after every running exchange, so that no request pays for a timer of
its own: a caller that takes nothing for too long is dropped, and when draining takes longer
than allowed, what still runs is ended with a clear error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from serve_app.core.errors import GatewayError, Overloaded
from serve_app.ingress.http import Exchange


class Desk:
    """Counts exchanges in and out.

    Args:
        limit: exchanges at once; beyond it `Overloaded`.
        write_timeout_s: a caller that takes nothing for so long is dropped.
        drain_s: after so long of draining, what still runs is ended.
    """

    def __init__(self, *, limit: int, write_timeout_s: float, drain_s: float) -> None:
        self._limit = limit
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

    def drain(self, on: bool) -> None:
        """Start (or stop) refusing new work."""
        now = asyncio.get_running_loop().time()
        self._draining_since = (self._draining_since or now) if on else None

    @contextmanager
    def admit(self, exchange: Exchange) -> Iterator[None]:
        """Inside for as long as the block runs.

        Raises:
            Overloaded: draining, or too many inside.
        """
        if self.draining:
            raise Overloaded("The service is shutting down", code="draining", retry_after_s=5)
        if len(self._inside) >= self._limit:
            raise Overloaded("Too many requests at once on this replica", retry_after_s=1)
        task = asyncio.current_task()
        assert task is not None
        self._inside[task] = exchange
        try:
            yield
        finally:
            del self._inside[task]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now = asyncio.get_running_loop().time()
            overdue = (
                self._draining_since is not None and now - self._draining_since > self._drain_s
            )
            for task, exchange in list(self._inside.items()):
                stuck = exchange.sending_since
                if stuck is not None and now - stuck > self._write_timeout_s:
                    task.cancel(STUCK)
                elif overdue:
                    task.cancel(CLOSING)


STUCK = "serve-app: the caller takes nothing"
CLOSING = "serve-app: shutting down"


def reason(error: asyncio.CancelledError) -> GatewayError | None:
    """What to tell the caller of a cancelled exchange; None if the caller itself is gone."""
    if error.args and error.args[0] == CLOSING:
        return Overloaded("The service shut down in mid-answer", code="draining", retry_after_s=5)
    return None

"""Ray Data's actor for the way through the gateway: batches of rows in, reports out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import msgspec
import pyarrow as pa

from serve_app.batch.brake import Brake
from serve_app.batch.caller import Caller, Hopeless, Terms
from serve_app.batch.pause import Pause
from serve_app.batch.results import Report, Result
from serve_app.core.clock import SystemClock

REPORT = "report"
"""The one column of what comes back: a `Report` as msgpack, one for each batch."""


class ThroughGraph:
    """Asks the gateway for the rows of several batches at once; Ray Data calls it for each batch.

    Args:
        at_once: requests that run at the same time, of all batches together.
        budget_micro_usd: what may still be spent.
        errors: how many more rows may fail.
    """

    def __init__(
        self, terms: Terms, at_once: int, budget_micro_usd: int | None, errors: int | None
    ) -> None:
        self._terms = terms
        self._at_once = at_once
        self._caps = (budget_micro_usd, errors)
        self._ready: tuple[Caller, Brake, asyncio.Semaphore] | None = None

    async def __call__(self, batch: pa.Table) -> AsyncGenerator[dict[str, list[bytes]]]:
        caller, brake, slots = self._begin()
        columns: Any = batch.to_pydict()
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(_answered(caller, brake, slots, row, messages))
                for row, messages in zip(columns["row"], columns["messages"], strict=True)
            ]
        results = [result for task in asked if (result := task.result()) is not None]
        answered = -1
        if brake.why and not results:
            await brake.idle()
            answered = brake.answered
        yield {REPORT: [msgspec.msgpack.encode(Report(results, brake.why, answered))]}

    def _begin(self) -> tuple[Caller, Brake, asyncio.Semaphore]:
        """In the event loop of the calls, which is not there yet when the actor is made."""
        if self._ready is None:
            timeout = aiohttp.ClientTimeout(total=self._terms.timeout_s, sock_connect=10)
            connector = aiohttp.TCPConnector(limit=0)
            session = aiohttp.ClientSession(timeout=timeout, connector=connector)
            clock, lot = SystemClock(), random.Random()  # noqa: S311 - spreads load
            caller = Caller(session, self._terms, Pause(clock, lot), clock, lot)
            self._ready = (caller, Brake(*self._caps), asyncio.Semaphore(self._at_once))
        return self._ready


async def _answered(
    caller: Caller, brake: Brake, slots: asyncio.Semaphore, row: int, messages: bytes
) -> Result | None:
    """The row's result; None if it was not begun, or was given up with all others."""
    async with slots:
        if not brake.begin():
            return None
        try:
            result = await caller.answer(row, messages)
        except Hopeless as error:
            brake.dropped()
            brake.pull(str(error))
            return None
        except BaseException:
            brake.dropped()
            raise
    brake.ended(result)
    return result

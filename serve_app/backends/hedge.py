"""Hedging: a second candidate for a first token that is late, within a share of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from serve_app.backends.attempt import Attempt
from serve_app.backends.base import AttemptFailed
from serve_app.core.types import Chunk

MAX_SAVED = 10.0
"""Hedges that requests can save up: so many may go out at once when a backend becomes slow."""

Second = Callable[[], Attempt | None]
"""Begins the other attempt; None if there is none to be had."""

_Tasks = dict[asyncio.Task[list[Chunk]], Attempt]


class HedgeShare:
    """Keeps hedges a share of requests: each request deposits the share, each hedge takes 1."""

    __slots__ = ("_saved",)

    def __init__(self) -> None:
        self._saved = 0.0

    def deposit(self, share: float) -> None:
        self._saved = min(MAX_SAVED, self._saved + share)

    @property
    def is_spent(self) -> bool:
        return self._saved < 1.0

    def withdraw(self) -> None:
        self._saved -= 1.0


class Raced(Struct):
    """How a race ended: who spoke first, who failed before, who was cancelled."""

    winner: Attempt | None = None
    first: list[Chunk] = []
    failures: list[tuple[Attempt, AttemptFailed]] = []
    lost: Attempt | None = None


async def race(attempt: Attempt, late_s: float, second: Second) -> Raced:
    """Let a second attempt start if the first has not spoken after `late_s`; who speaks first
    wins, the other is cancelled and its end awaited."""
    loop = asyncio.get_running_loop()
    tasks: _Tasks = {loop.create_task(attempt.first()): attempt}
    try:
        done, _ = await asyncio.wait(tasks, timeout=late_s)
        if not done and (other := second()) is not None:
            tasks[loop.create_task(other.first())] = other
        return await _run(tasks)
    finally:
        await _stop(tasks)


async def _run(tasks: _Tasks) -> Raced:
    raced = Raced()
    while tasks:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in tasks if task in done]:  # the first one wins a tie
            attempt = tasks.pop(task)
            try:
                raced.first = task.result()
            except AttemptFailed as failed:
                raced.failures.append((attempt, failed))
                is_over = failed.kind == "caller"  # no other attempt can help
            else:
                raced.winner, is_over = attempt, True
            if is_over:
                raced.lost = next(iter(tasks.values()), None)
                return raced
    return raced


async def _stop(tasks: _Tasks) -> None:
    """Cancel what still runs and see it end; how long that takes is bounded by the attempt."""
    for task in tasks:
        task.cancel()
    try:
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for attempt in tasks.values():  # one may have spoken, or not have started yet
            await attempt.leave()

"""The caps where requests begin: none is begun past them, those that run may end."""

from __future__ import annotations

import asyncio

from serve_app.batch.results import Result
from serve_app.core.money import usd


class Brake:
    """Counts what runs and what it cost.

    Args:
        budget_micro_usd: what may still be spent.
        errors: how many more rows may fail.
    """

    def __init__(self, budget_micro_usd: int | None, errors: int | None) -> None:
        self._budget = budget_micro_usd
        self._errors = errors
        self._running = 0
        self._spent = 0
        self._failed = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.answered = 0
        self.why = ""
        """Why nothing more is begun; empty while it is."""

    def begin(self) -> bool:
        """Whether one more may run; `ended` or `dropped` says when it does no more."""
        if not self.why and self._budget is not None and self._forecast() >= self._budget:
            self.pull(f"the budget is spent (${usd(self._spent)} in this run)")
        if self.why:
            return False
        self._running += 1
        self._idle.clear()
        return True

    def ended(self, result: Result) -> None:
        self._leave()
        self.answered += 1
        self._spent += result.cost_micro_usd
        self._failed += result.failed
        if self._errors is not None and self._failed > self._errors:
            self.pull(f"too many rows failed; the last: {result.error}")

    def dropped(self) -> None:
        """It did not run to its end."""
        self._leave()

    def pull(self, why: str) -> None:
        """Begin nothing more. The first reason counts."""
        self.why = self.why or why

    async def idle(self) -> None:
        """Returns once nothing runs."""
        await self._idle.wait()

    def _leave(self) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()

    def _forecast(self) -> int:
        """What was spent, and what those that run will cost at the average so far."""
        return self._spent + self._running * self._spent // max(1, self.answered)

"""The dispatcher's contracts."""

from __future__ import annotations

from typing import Protocol

from serve_app.core.plan import Plan, PlanQuery
from serve_app.core.vital import Reading


class Router(Protocol):
    """A batch in, a result for each item, in order. What cannot be planned is a `problem`."""

    async def plan(self, batch: list[PlanQuery]) -> list[Plan]:
        """Make a plan for each query; calls no backend."""


class Judge(Protocol):
    """Tells requests that only the strong tier will do for, as it learned from examples."""

    @property
    def threshold(self) -> float:
        """From this probability on a request is for the strong tier."""

    async def judge(self, texts: list[str]) -> list[float]:
        """The probability of each text, 0 to 1, that only the strong tier will do.

        Raises:
            GatewayError: it cannot tell now; the scored rule decides then.
        """


class Observed(Protocol):
    """One model at one backend, as the vitals know it."""

    @property
    def running(self) -> int:
        """Calls under way in this process."""

    def reading(self) -> Reading:
        """How it is doing now."""


class Book(Protocol):
    """Whatever knows how the models are doing; `vitals.book.Vitals` does."""

    def of(self, backend: str, model: str) -> Observed:
        """One model, known or not."""


METHODS = {"plan": (PlanQuery, Plan)}

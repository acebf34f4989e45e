"""The dispatcher's contract."""

from __future__ import annotations

from typing import Protocol

from serve_app.core.types import Plan, PlanQuery


class Router(Protocol):
    """A batch in, a result for each item, in order. What cannot be planned is a `problem`."""

    async def plan(self, batch: list[PlanQuery]) -> list[Plan]:
        """Make a plan for each query; calls no backend."""


METHODS = {"plan": (PlanQuery, Plan)}

"""The security desk's contract: texts in, a verdict out; at the entrance and at the exit."""

from __future__ import annotations

from typing import Protocol

from serve_app.core.types import Released, Tail, Texts, Verdict


class Filter(Protocol):
    """A batch in, a result for each item, in order. Never raises for what a text contains."""

    async def check_input(self, batch: list[Texts]) -> list[Verdict]:
        """Judge the texts of requests."""

    async def check_output(self, batch: list[Tail]) -> list[Released]:
        """Filter pieces of answers. Keeps no state: the caller hands back what was held."""


METHODS = {"check_input": (Texts, Verdict), "check_output": (Tail, Released)}

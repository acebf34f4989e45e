"""What came of a row, and of many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

_EXAMPLE_CHARS: Final = 300


class Result(Struct, frozen=True, omit_defaults=True):
    """The answer to one row, or why there is none."""

    row: int
    """Its place in the input, from 0."""
    response: str | None = None
    finish_reason: str = ""
    kind: str = ""
    """Of the error, as the API calls it; empty: it went well."""
    message: str = ""
    request_id: str = ""
    """Of a request that failed, to be found in the gateway's log."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micro_usd: int = 0
    cached: bool = False
    began: float = 0.0
    ended: float = 0.0
    """Unix seconds in which the answer was made."""

    @property
    def failed(self) -> bool:
        return bool(self.kind)

    @property
    def error(self) -> str | None:
        """As the output's column shows it."""
        return f"{self.kind}: {self.message}" if self.kind else None


class Failures(Struct):
    """Rows that failed in one way."""

    count: int = 0
    example: str = ""
    """What the first of them was told."""


class Tally(Struct):
    """Sums over results."""

    done: int = 0
    """Rows with a result, errors among them."""
    errors: dict[str, Failures] = field(default_factory=dict)
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micro_usd: int = 0
    began: float = float("inf")
    ended: float = 0.0

    @property
    def failed(self) -> int:
        return sum(failures.count for failures in self.errors.values())

    def add(self, results: Iterable[Result]) -> None:
        for result in results:
            self._add(result)

    def _add(self, result: Result) -> None:
        self.done += 1
        self.cached += result.cached
        self.prompt_tokens += result.prompt_tokens
        self.completion_tokens += result.completion_tokens
        self.cost_micro_usd += result.cost_micro_usd
        if result.ended:
            self.began = min(self.began, result.began)
            self.ended = max(self.ended, result.ended)
        if result.failed:
            failures = self.errors.setdefault(result.kind, Failures())
            failures.example = failures.example or result.message[:_EXAMPLE_CHARS]
            failures.count += 1


class Report(Struct, frozen=True, omit_defaults=True):
    """What came back of one batch of rows."""

    results: list[Result] = []
    stopped: str = ""
    """Why no more rows are begun; rows without a result were not."""
    answered: int = -1
    """With `stopped`, once nothing runs any more: how many results there were in all."""

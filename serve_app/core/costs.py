"""What traffic came to, summed up: rows of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, structs

GROUPS: Final = (
    "hour", "day", "tenant", "team", "user", "key", "backend", "model", "route", "tier", "cache",
    "batch",
)  # fmt: skip
"""What a report may be grouped by. Hours and days are UTC, as `2026-01-31T10:00:00Z` and
`2026-01-31`."""


class Spent(Struct, frozen=True):
    """Sums over requests; money in micro-USD."""

    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    """Of what models were asked; what the cache answered is in `cached_tokens`."""
    completion_tokens: int = 0
    cost_micro_usd: int = 0
    cached: int = 0
    """Requests that the cache answered."""
    cached_prompt_tokens: int = 0
    """Of them, prompt and answer."""
    cached_completion_tokens: int = 0
    saved_micro_usd: int = 0
    """What these answers had cost when they were made."""
    provider_cached_tokens: int = 0
    """Of the prompt tokens, those that the provider had in its own cache."""

    def __add__(self, other: Spent) -> Spent:
        return Spent(*map(sum, zip(structs.astuple(self), structs.astuple(other), strict=True)))


class CostRow(Struct, frozen=True):
    """One group of a report."""

    group: Mapping[str, str]
    """Value by name of `GROUPS`; `batch` is `true` or `false`."""
    spent: Spent


class CostReport(Struct, frozen=True):
    """A period, grouped."""

    since: int
    """Unix seconds, a full hour."""
    until: int
    total: Spent
    rows: list[CostRow]
    is_complete: bool
    """False: there were more groups than were wanted."""

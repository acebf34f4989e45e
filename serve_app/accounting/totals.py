"""Sums of what was used: how they are named in Redis, and how they read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct, structs

from serve_app.core.hits import HITS
from serve_app.core.settlement import Settlement
from serve_app.core.short import short

__all__ = ["METRICS", "Row", "Settlement", "Sums", "Totals", "fields", "read_back", "short"]


Row = tuple[str, str, str, str, str]
"""Tenant, day, user, model, key."""


class Sums(Struct):
    """Sums over requests. The names of the fields are those in Redis."""

    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micro_usd: int = 0
    cached: int = 0
    cached_tokens: int = 0
    """Tokens, prompt and answer, of what the cache served; they are in no other sum."""
    saved_micro_usd: int = 0

    def add(self, settled: Settlement) -> None:
        self.requests += settled.requests
        self.failed += settled.status == "failed"
        self.cost_micro_usd += settled.cost_micro_usd
        self.saved_micro_usd += settled.saved_micro_usd
        if settled.cache_level in HITS:
            self.cached += 1
            self.cached_tokens += settled.prompt_tokens + settled.completion_tokens
        else:
            self.prompt_tokens += settled.prompt_tokens
            self.completion_tokens += settled.completion_tokens

    def merge(self, other: Sums) -> None:
        for metric in METRICS:
            setattr(self, metric, getattr(self, metric) + getattr(other, metric))


METRICS = tuple(field.name for field in structs.fields(Sums))


class Totals(Struct):
    """Sums of a tenant: of all, by user, by model, by key."""

    total: Sums
    users: dict[str, Sums]
    models: dict[str, Sums]
    keys: dict[str, Sums]

    def read(self, kind: str, stored: Mapping[bytes, bytes]) -> None:
        """Add what is stored of one kind (`total`, `user`, `model`, `key`)."""
        if kind == "total":
            found: dict[str, Sums] = {}
            read_back(stored, found)
            self.total.merge(found.get("", Sums()))
        else:
            read_back(stored, getattr(self, f"{kind}s"))

    def merge(self, other: Totals) -> None:
        self.total.merge(other.total)
        for kind in ("users", "models", "keys"):
            own: dict[str, Sums] = getattr(self, kind)
            for name, sums in getattr(other, kind).items():
                own.setdefault(name, Sums()).merge(sums)


def fields(name: str, sums: Sums) -> Iterator[str | int]:
    """Names in a hash and amounts, in turns. The metric comes first: names of users hold
    anything."""
    for metric in METRICS:
        if amount := getattr(sums, metric):
            yield f"{metric}:{name}"
            yield amount


def read_back(stored: Mapping[bytes, bytes], into: dict[str, Sums]) -> None:
    """Add a hash that was written with `fields` to the sums by name."""
    for field, amount in stored.items():
        metric, _, name = field.decode("utf-8", "replace").partition(":")
        if metric in METRICS:
            sums = into.setdefault(name, Sums())
            setattr(sums, metric, getattr(sums, metric) + int(amount))

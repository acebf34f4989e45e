"""What callers are told of their limits: figures of the ledger in, headers and words out.

`x-ratelimit-*` are the names of OpenAI's API; `ratelimit-*` those of the IETF's draft
(draft-ietf-httpapi-ratelimit-headers, version 7), with the policy as in version 10.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from serve_app.core.limits import PERIODS, Scope, Used
from serve_app.core.money import usd

Level = tuple[Scope, str, int, int]
"""A scope, which of its limits, its size, what is used of it."""

_REQUESTS = ("requests",)
_TOKENS = ("input", "output", "tokens")

UNITS = {
    "requests": "requests per minute",
    "input": "input tokens per minute",
    "output": "output tokens per minute",
    "tokens": "tokens per minute",
    "parallel": "requests at once",
    "day": "a day",
    "week": "a week",
    "month": "a month",
    "total": "in all",
}


class Soft(NamedTuple):
    """A budget that is nearly spent."""

    scope: Scope
    period: str
    spent: int
    limit: int


def named(scope: Scope, limit: str) -> str:
    """A limit for people: `100 requests per minute per user`."""
    size: int = getattr(scope.allowance, limit)
    if limit in PERIODS:
        return f"budget of {_short(usd(size))} USD {UNITS[limit]} {scope.name}"
    return f"{size:,} {UNITS[limit]} {scope.name}"


def headers(scopes: Sequence[Scope], used: Sequence[Used]) -> dict[str, str]:
    """Of the limits of rates that are nearest to their end."""
    requests = _nearest(scopes, used, _REQUESTS)
    tokens = _nearest(scopes, used, _TOKENS)
    told: dict[str, str] = {}
    for what, level in (("requests", requests), ("tokens", tokens)):
        if level is not None:
            _, _, size, gone = level
            told[f"x-ratelimit-limit-{what}"] = str(size)
            told[f"x-ratelimit-remaining-{what}"] = str(max(0, size - gone))
            told[f"x-ratelimit-reset-{what}"] = f"{60 * gone / size:.3f}s"
    nearest = min(filter(None, (requests, tokens)), key=_left, default=None)
    if nearest is not None:
        scope, limit, size, gone = nearest
        told["ratelimit-limit"] = str(size)
        told["ratelimit-remaining"] = str(max(0, size - gone))
        told["ratelimit-reset"] = str(math.ceil(60 * gone / size))
        told["ratelimit-policy"] = f'"{limit}-{scope.name.replace(" ", "-")}";q={size};w=60'
    return told


def soft(scopes: Iterable[Scope], used: Iterable[Used]) -> Soft | None:
    """The first budget that is nearly spent, with what is promised to running requests."""
    for scope, figures in zip(scopes, used, strict=True):
        allowance = scope.allowance
        if not allowance.has_money:
            continue
        for period in PERIODS:
            limit: int = getattr(allowance, period)
            spent = getattr(figures, period) + figures.held
            if limit > 0 and spent * 100 >= limit * allowance.soft:
                return Soft(scope, period, spent, limit)
    return None


def waiting(seconds: float) -> str:
    """A time to wait, for people."""
    return f"{seconds:.1f} s" if seconds < 120 else str(timedelta(seconds=math.ceil(seconds)))


def _short(dollars: str) -> str:
    """Without the zeros at its end, but with cents."""
    whole, _, part = dollars.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def _nearest(scopes: Sequence[Scope], used: Sequence[Used], limits: Sequence[str]) -> Level | None:
    best: Level | None = None
    for scope, figures in zip(scopes, used, strict=True):
        for limit in limits:
            size: int = getattr(scope.allowance, limit)
            if size:
                level = (scope, limit, size, getattr(figures, limit))
                if best is None or _left(level) < _left(best):
                    best = level
    return best


def _left(level: Level) -> float:
    _, _, size, gone = level
    return (size - gone) / size

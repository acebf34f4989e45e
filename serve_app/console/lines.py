"""The few sums of a snapshot that the live view's lines are drawn from, and how they grow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from serve_app.console import counted
from serve_app.console.counted import Counted

Labels = tuple[tuple[str, str], ...]
"""Label names with their values, sorted by name."""
Series = Mapping[str, Mapping[Labels, float]]
"""By metric, by labels, the value."""

Sums = dict[str, dict[str, float]]
"""By what is counted, by a part of it."""

ASKED: Final = "asked"
LATENCY: Final = "latency"
FIRST_TOKEN: Final = "first_token"  # noqa: S105
LEVELS: Final = "levels"
TOKENS: Final = "tokens"
MONEY: Final = "money"
"""What is counted: requests (all, failed, refused), the buckets of two histograms by their upper
bounds, lookups by level, tokens by direction, micro-USD (cost, saved)."""


def sums(series: Series, what: Counted) -> Sums:
    """Of a snapshot, since counting began."""
    return {
        ASKED: _requests(series, what),
        LATENCY: _by(series, f"{counted.REQUEST_SECONDS}_bucket", "le", what),
        FIRST_TOKEN: _by(series, f"{counted.FIRST_TOKEN}_bucket", "le"),
        LEVELS: _by(series, counted.LOOKUPS, "level"),
        TOKENS: _by(series, counted.TOKENS, "direction"),
        MONEY: {"cost": _all(series, counted.COST), "saved": _all(series, counted.SAVED)},
    }


def is_anew(before: Sums, after: Sums) -> bool:
    """Whether counting began anew between two snapshots: Redis had lost what was counted. All
    counters stand in one place there, so that they begin anew together."""
    return any(
        after.get(what, {}).get(part, 0.0) < value
        for what, parts in before.items()
        for part, value in parts.items()
    )


def grown(before: Sums, after: Sums) -> Sums:
    """What was counted between two snapshots."""
    if is_anew(before, after):
        return after
    return {
        what: {part: value - before.get(what, {}).get(part, 0.0) for part, value in parts.items()}
        for what, parts in after.items()
    }


def bound(text: str) -> float:
    """A bucket's upper bound."""
    return math.inf if text == "+Inf" else float(text)


def _requests(series: Series, what: Counted) -> dict[str, float]:
    found = {"all": 0.0, "failed": 0.0, "refused": 0.0}
    for labels, value in series.get(counted.REQUESTS, {}).items():
        named = dict(labels)
        if what.asked(named):
            found["all"] += value
            found["failed"] += value * what.failed(named)
            found["refused"] += value * what.refused(named)
    return found


def _by(series: Series, name: str, label: str, what: Counted | None = None) -> dict[str, float]:
    found: dict[str, float] = {}
    for labels, value in series.get(name, {}).items():
        named = dict(labels)
        if what is None or what.asked(named):
            found[named[label]] = found.get(named[label], 0.0) + value
    return found


def _all(series: Series, name: str) -> float:
    return sum(series.get(name, {}).values())

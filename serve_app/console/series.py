"""The live view's lines: a value for each step of a window, None where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from serve_app.console import counted, lines
from serve_app.console.lines import Sums
from serve_app.console.quantiles import QUANTILES, quantile
from serve_app.console.snapshots import Moment

_MOST_STEPS: Final = 3
"""That two moments may be apart; beyond it nobody knows what was between them."""

Line = list[float | None]


class Step(Struct, frozen=True):
    """What was counted between two moments."""

    seconds: float
    sums: Sums

    def rate(self, what: str, part: str, per_s: float = 1) -> float:
        return round(self.sums[what].get(part, 0.0) * per_s / self.seconds, 4)

    def quantile(self, what: str, share: float) -> float | None:
        buckets = {lines.bound(text): count for text, count in self.sums[what].items()}
        return quantile(buckets, share)


def series(moments: Sequence[Moment], step_s: float) -> dict[str, Any]:
    """
    Args:
        moments: the first is from before the first step.
        step_s: seconds that a step should have.
    """
    steps = [_step(before, after, step_s) for before, after in pairwise(moments)]
    return {
        "requests_per_s": _rate(steps, lines.ASKED, "all"),
        "errors_per_s": _rate(steps, lines.ASKED, "failed"),
        "refused_per_s": _rate(steps, lines.ASKED, "refused"),
        "latency_s": _quantiles(steps, lines.LATENCY),
        "first_token_s": _quantiles(steps, lines.FIRST_TOKEN),
        "cache_per_s": {
            level: line
            for level, line in _rates(steps, lines.LEVELS).items()
            if level in counted.LEVELS
        },
        "tokens_per_s": _rates(steps, lines.TOKENS),
        "cost_micro_usd_per_min": _rate(steps, lines.MONEY, "cost", 60),
        "saved_micro_usd_per_min": _rate(steps, lines.MONEY, "saved", 60),
    }


def _step(before: Moment, after: Moment, step_s: float) -> Step | None:
    seconds = after.at - before.at
    if seconds > step_s * _MOST_STEPS:
        return None
    return Step(seconds, lines.grown(before.sums, after.sums))


def _rate(steps: Sequence[Step | None], what: str, part: str, per_s: float = 1) -> Line:
    return [None if step is None else step.rate(what, part, per_s) for step in steps]


def _rates(steps: Sequence[Step | None], what: str) -> dict[str, Line]:
    """A line for each part that was counted in the window."""
    parts = {part for step in steps if step for part, n in step.sums[what].items() if n}
    return {part: _rate(steps, what, part) for part in sorted(parts)}


def _quantiles(steps: Sequence[Step | None], what: str) -> dict[str, Line]:
    return {
        name: [None if step is None else step.quantile(what, share) for step in steps]
        for name, share in QUANTILES.items()
    }

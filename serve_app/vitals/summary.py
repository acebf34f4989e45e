"""How one model does, in a few numbers: what replicas tell each other, and how they add up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from serve_app.core.vital import Headroom

GRID = (0.5, 0.75, 0.9, 0.95, 0.99)
"""Shares at which the quantiles of time to first token are told."""

HEADROOM_S = 60.0
"""How long to believe in limits of which the provider did not say when they reset."""


class Summary(Struct, frozen=True, gc=False, array_like=True):
    """One model at one backend, as one replica or several have seen it lately.

    New fields go to the end: during an upgrade old and new replicas read each other.
    """

    backend: str
    model: str
    running: int = 0
    failed: float = 0.0
    attempts: float = 0.0
    """Recent ones, those longer ago counted less; likewise `failed` of them."""
    tokens: float = 0.0
    seconds: float = 0.0
    firsts: int = 0
    """Samples that `quantiles` are made from."""
    quantiles: tuple[float, ...] = ()
    """Seconds to first token at `GRID`; empty without samples."""
    away: str = ""
    down: str | None = None
    """Why it is not up, empty if it is; None: not watched."""
    headroom: Headroom | None = None
    headroom_age_s: float = 0.0

    def says_something(self) -> bool:
        if self.down is not None or self.headroom is not None:
            return True
        return bool(self.running or self.firsts or self.away) or self.attempts > 0.01

    def first_token_s(self, share: float) -> float:
        """The quantile at `share`; between two of the grid by their distance, beyond it its end.
        Needs samples."""
        at = bisect_left(GRID, share)
        if at == len(GRID):
            return self.quantiles[-1]
        above, high = GRID[at], self.quantiles[at]
        if share == above or at == 0:
            return high
        below, low = GRID[at - 1], self.quantiles[at - 1]
        return low + (high - low) * (share - below) / (above - below)


def merged(summaries: Sequence[Summary]) -> Summary:
    """Several replicas' summaries of one model as one: sums, and quantiles by samples.

    Args:
        summaries: at least one.
    """
    if len(summaries) == 1:
        return summaries[0]
    first = summaries[0]
    told = [s for s in summaries if s.headroom is not None]
    freshest = min(told, key=_headroom_age_s, default=first)
    return Summary(
        backend=first.backend,
        model=first.model,
        running=sum([s.running for s in summaries]),
        failed=sum([s.failed for s in summaries]),
        attempts=sum([s.attempts for s in summaries]),
        tokens=sum([s.tokens for s in summaries]),
        seconds=sum([s.seconds for s in summaries]),
        firsts=sum([s.firsts for s in summaries]),
        quantiles=_mean_quantiles([s for s in summaries if s.firsts]),
        away=next((s.away for s in summaries if s.away), ""),
        down=_down([s.down for s in summaries if s.down is not None]),
        headroom=freshest.headroom,
        headroom_age_s=freshest.headroom_age_s,
    )


def _down(seen: Sequence[str]) -> str | None:
    """Down only if nobody sees it up: a replica that has just started sees nothing yet."""
    return None if not seen else "" if "" in seen else seen[0]


def _headroom_age_s(summary: Summary) -> float:
    return summary.headroom_age_s


def _mean_quantiles(summaries: Sequence[Summary]) -> tuple[float, ...]:
    """The mean of each quantile, weighed by samples. Replicas share their traffic at random, so
    their distributions differ by chance only and this is close to the quantile of all."""
    samples = sum([s.firsts for s in summaries])
    columns = zip(*[s.quantiles for s in summaries], strict=True)
    counts = [s.firsts for s in summaries]
    return tuple(
        sum([n * value for n, value in zip(counts, column, strict=True)]) / samples
        for column in columns
    )


def aged(headroom: Headroom, age_s: float) -> Headroom | None:
    """What was told `age_s` seconds ago, seen from now; None: it is whole again or too old."""
    resets_in_s = headroom.resets_in_s or HEADROOM_S
    if age_s >= resets_in_s:
        return None
    left_s = resets_in_s - age_s if headroom.resets_in_s else 0.0
    return Headroom(headroom.requests_left, headroom.tokens_left, left_s)

"""By how much counters grew in a window, and sums over their labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from serve_app.console import lines
from serve_app.console.lines import Labels
from serve_app.console.quantiles import QUANTILES, quantile
from serve_app.console.snapshots import Moment

Match = Callable[[Mapping[str, str]], bool]
Quantiles = dict[str, float | None]
"""By name (`p95`); None: nothing was observed."""

NOTHING: Final[Quantiles] = dict.fromkeys(QUANTILES)


class Growth:
    """What was counted in a window. A counter that was not there at its beginning began at 0; one
    that was begun anew counts from then on, besides what it had counted before (so do the lines,
    and Prometheus' `increase`).

    Args:
        moments: in order of time; the first is from before the window.
    """

    def __init__(self, moments: Sequence[Moment]) -> None:
        self._grown: dict[str, dict[Labels, float]] = {}
        begin: Moment | None = moments[0] if moments else None
        for before, after in pairwise(moments):
            if lines.is_anew(before.sums, after.sums):
                self._add(begin, before)
                begin = None
        if moments:
            self._add(begin, moments[-1])

    def _add(self, before: Moment | None, after: Moment) -> None:
        """
        Args:
            before: None: counting began in between.
        """
        for name, values in after.series.items():
            if not name.endswith(("_total", "_bucket")):
                continue
            sums = self._grown.setdefault(name, {})
            begun = {} if before is None else before.of(name)
            for labels, value in values.items():
                sums[labels] = sums.get(labels, 0.0) + value - begun.get(labels, 0.0)

    def total(self, name: str, match: Match | None = None) -> int:
        """How many were counted, of all labels that match."""
        values = self._grown.get(name, {})
        if match is None:
            return round(sum(values.values()))
        return round(sum([value for labels, value in values.items() if match(dict(labels))]))

    def by(self, name: str, *labels: str, match: Match | None = None) -> dict[tuple[str, ...], int]:
        """How many were counted, by the values of some labels; those with none are left out."""
        sums: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for pairs, value in self._grown.get(name, {}).items():
            named = dict(pairs)
            if value and (match is None or match(named)):
                sums[tuple([named.get(label, "") for label in labels])] += value
        return {values: round(total) for values, total in sums.items()}

    def quantiles(self, name: str, match: Match | None = None) -> Quantiles:
        """Of a histogram, in its unit."""
        return self.quantiles_by(name, match=match).get((), NOTHING)

    def quantiles_by(
        self, name: str, *labels: str, match: Match | None = None
    ) -> dict[tuple[str, ...], Quantiles]:
        """Of a histogram, by the values of some labels."""
        found: dict[tuple[str, ...], dict[float, float]] = {}
        for pairs, value in self._grown.get(f"{name}_bucket", {}).items():
            named = dict(pairs)
            if match is None or match(named):
                buckets = found.setdefault(tuple([named.get(label, "") for label in labels]), {})
                bound = lines.bound(named["le"])
                buckets[bound] = buckets.get(bound, 0.0) + value
        return {values: _quantiles(buckets) for values, buckets in found.items()}


def _quantiles(buckets: Mapping[float, float]) -> Quantiles:
    return {label: quantile(buckets, share) for label, share in QUANTILES.items()}

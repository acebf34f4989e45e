"""The snapshots that expressions look at, in the order of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from serve_app.alerts.base import Labels, Snapshot

_LOOKBACK_S: Final = 300.0
"""A value older than this is none (Prometheus' `query.lookback-delta`)."""
_COMPLETE: Final = "serve_app_metrics_complete"

Samples = list[tuple[float, float]]
"""Unix seconds and value, oldest first."""


class Window:
    """Snapshots of a while. A snapshot has all there is, so a series that is not in the last one
    has ended."""

    def __init__(self, snapshots: Iterable[Snapshot] = ()) -> None:
        self._snapshots: list[Snapshot] = []
        self._times: list[float] = []
        self.add(snapshots)

    @property
    def last_at(self) -> float:
        """Unix seconds of the newest; 0: there is none."""
        return self._times[-1] if self._times else 0.0

    def add(self, snapshots: Iterable[Snapshot]) -> None:
        """Take those that are newer than what is there."""
        for snapshot in snapshots:
            if not self._times or snapshot.at > self.last_at:
                self._snapshots.append(snapshot)
                self._times.append(snapshot.at)

    def forget_before(self, at: float) -> None:
        gone = bisect_right(self._times, at)
        del self._snapshots[:gone], self._times[:gone]

    def now(self, name: str, at: float, fits: Callable[[Labels], bool]) -> dict[Labels, float]:
        """Values of a metric's series at a moment."""
        end = bisect_right(self._times, at)
        if not end or self._times[end - 1] <= at - _LOOKBACK_S:
            return {}
        found = self._snapshots[end - 1].series.get(name, {})
        return {labels: value for labels, value in found.items() if fits(labels)}

    def over(
        self,
        name: str,
        since: float,
        until: float,
        fits: Callable[[Labels], bool],
        *,
        born: bool,
    ) -> dict[Labels, Samples]:
        """Values of a metric's series after `since` and not after `until`.

        Args:
            born: a series that appears in between began there at 0, for the snapshot before had
                all there was (as Prometheus has it of counters that tell when they were created).
        """
        known: dict[Labels, Samples | None] = {}
        before: Snapshot | None = None
        for snapshot in self._between(since, until):
            for labels, value in snapshot.series.get(name, {}).items():
                if labels not in known:
                    known[labels] = (_begun(before) if born else []) if fits(labels) else None
                samples = known[labels]
                if samples is not None:
                    samples.append((snapshot.at, value))
            before = snapshot
        return {labels: samples for labels, samples in known.items() if samples}

    def _between(self, since: float, until: float) -> Sequence[Snapshot]:
        start, end = bisect_right(self._times, since), bisect_right(self._times, until)
        return self._snapshots[start:end]


def _begun(before: Snapshot | None) -> Samples:
    if before is None or min(before.series.get(_COMPLETE, {(): 1.0}).values(), default=1.0) < 1:
        return []
    return [(before.at, 0.0)]

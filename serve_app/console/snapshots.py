"""The figures of the service at some moments of the last hour: fewer, the longer ago."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from serve_app.console.counted import Counted
from serve_app.console.lines import Labels, Series, Sums, sums

SPANS: Final = {"5m": (300.0, 5.0), "15m": (900.0, 15.0), "60m": (3600.0, 60.0)}
"""Windows: their seconds, and those of a step. A step begins with the first snapshot of each so
many seconds: which ones those are does not change as time goes on."""

_FINEST_S: Final = 5.0
"""Seconds between two snapshots, about: each is a step of its own."""

WANTED: Final = frozenset(
    {
        "serve_app_requests_total",
        "serve_app_request_seconds_bucket",
        "serve_app_errors_total",
        "serve_app_tokens_total",
        "serve_app_cost_micro_usd_total",
        "serve_app_saved_micro_usd_total",
        "serve_app_cache_lookups_total",
        "serve_app_attempts_total",
        "serve_app_attempt_seconds_bucket",
        "serve_app_retries_total",
        "serve_app_limits_refused_total",
        "serve_app_filter_findings_total",
        "gen_ai_server_time_to_first_token_seconds_bucket",
        "serve_app_running_requests",
        "serve_app_replicas",
        "serve_app_backend_state",
        "serve_app_backend_calls",
        "serve_app_turns_running",
        "serve_app_turns_waiting",
        "serve_app_cache_entries",
        "serve_app_cache_bytes",
        "serve_app_cache_wrong_share",
        "serve_app_tasks",
        "serve_app_tasks_oldest_seconds",
        "serve_app_event_loop_lag_seconds",
        "serve_app_redis_up",
        "serve_app_draining_seconds",
        "serve_app_local_kv_used_ratio",
        "serve_app_local_queue",
        "serve_app_alerts_firing",
        "serve_app_metrics_complete",
    }
)
"""What the live view shows; the rest of a snapshot is not kept."""


class Told(Protocol):
    """A snapshot as the history has it; see `observe.snapshot.Snapshot`."""

    @property
    def at(self) -> float: ...

    @property
    def series(self) -> Series: ...


class Moment(Struct, frozen=True):
    """What is kept of a snapshot."""

    at: float
    """Unix seconds."""
    series: Series
    sums: Sums = {}
    """Of its counters."""

    def of(self, name: str) -> Mapping[Labels, float]:
        return self.series.get(name, {})


class Moments:
    """The moments of the last hour, in order of time.

    Args:
        what: which requests count.
    """

    def __init__(self, what: Counted) -> None:
        self._counted = what
        self._kept: list[Moment] = []

    @property
    def latest(self) -> Moment | None:
        return self._kept[-1] if self._kept else None

    def take(self, told: Iterable[Told]) -> bool:
        """Keep what is new, oldest first. Whether anything is. It takes some milliseconds for
        each that is kept."""
        before = self._kept[-1].at if self._kept else -math.inf
        new = [one for one in told if one.at > before]
        if new:
            kept = _thinned([*self._kept, *new], new[-1].at)
            self._kept = [one if isinstance(one, Moment) else self._made(one) for one in kept]
        return bool(new)

    def during(self, window: str) -> list[Moment]:
        """Those of a window, a step apart, up to the latest. The first is from before its first
        step."""
        latest = self.latest
        if latest is None:
            return []
        length_s, step_s = SPANS[window]
        since = latest.at - length_s - step_s
        return _firsts([one for one in self._kept if one.at > since], step_s)

    def _made(self, told: Told) -> Moment:
        series = {name: told.series[name] for name in WANTED & told.series.keys()}
        return Moment(told.at, series, sums(series, self._counted))


def _thinned(told: Sequence[Told], now: float) -> list[Told]:
    """Those that a window still needs. The latest always stays."""
    kept: list[Told] = []
    slot = (0.0, 0.0)
    for one in told:
        step_s = _step_at(now - one.at)
        if not step_s:
            continue
        before, slot = slot, (step_s, _slot(one.at, step_s))
        if slot != before or one is told[-1]:
            kept.append(one)
    return kept


def _step_at(age_s: float) -> float:
    """Seconds of a step that is so long ago; 0: it is too old."""
    for length_s, step_s in SPANS.values():
        if age_s <= length_s + 2 * step_s:
            return step_s
    return 0.0


def _firsts(moments: Sequence[Moment], step_s: float) -> list[Moment]:
    """The first of each step, and the latest of all."""
    chosen: list[Moment] = []
    for one in moments:
        is_first = not chosen or _slot(chosen[-1].at, step_s) != _slot(one.at, step_s)
        if is_first or one is moments[-1]:
            chosen.append(one)
    return chosen


def _slot(at: float, step_s: float) -> float:
    """Which step a moment is in."""
    return at if step_s <= _FINEST_S else at // step_s

"""What was measured of one contender: raw samples, and the figures made from them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar


@dataclass(frozen=True)
class Load:
    """One stretch of wrk. `requests` are answers with status 2xx."""

    connections: int
    requests: int
    rps: float
    p50_ms: float
    p99_ms: float
    bad: int
    upstream_share: float
    """Requests that reached the upstream, per request; 1 without a cache, 0 for hits."""
    cpu_s_per_1k: float
    noise_cores: float
    noisy: bool


@dataclass(frozen=True)
class Latency:
    """One probe at a fixed rate, and the same probe without a gateway just before."""

    p50_ms: float
    p99_ms: float
    direct_p50_ms: float
    direct_p99_ms: float
    bad: int
    noise_cores: float
    noisy: bool


@dataclass(frozen=True)
class Streams:
    """One stretch of parallel streams."""

    chunks_s: float
    streams: int
    bad: int
    first_chunk_p50_ms: float | None
    cpu_s_per_10k_chunks: float
    noise_cores: float
    noisy: bool


@dataclass(frozen=True)
class Cut:
    """What a client saw when the upstream cut a stream in the middle."""

    sees: str
    chunks: int
    tail: str


@dataclass(frozen=True)
class Leave:
    """What the upstream saw when a client left in mid-stream. `ms`: until it was cancelled."""

    cancelled: bool
    ms: float | None
    upstream_chunks: int


@dataclass
class Outcome:
    """All samples of one contender; `error` says why some are missing."""

    name: str
    title: str
    cached: bool = False
    ready_s: list[float] = field(default_factory=list)
    pss_idle_mb: float | None = None
    pss_loaded_mb: float | None = None
    processes: list[str] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    streams: list[Streams] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    leaves: list[Leave] = field(default_factory=list)
    error: str = ""

    def wrong(self) -> list[str]:
        """Why the figures cannot be trusted; empty when they can."""
        reasons = [self.error] if self.error else []
        samples: list[Load | Latency | Streams] = [*self.loads, *self.latencies, *self.streams]
        bad = sum(sample.bad for sample in samples)
        if bad:
            reasons.append(f"{bad} requests failed")
        shares = [load.upstream_share for load in self.loads]
        if self.cached and any(share > 0.01 for share in shares):
            reasons.append("requests that should be cache hits reached the upstream")
        if not self.cached and any(share < 0.99 for share in shares):
            reasons.append("some answers did not come from the upstream")
        return reasons

    @property
    def noisy(self) -> int:
        """Stretches during which others used the machine."""
        samples: list[_Sample] = [*self.loads, *self.latencies, *self.streams]
        return sum(sample.noisy for sample in samples)


@dataclass(frozen=True)
class Figures:
    """Medians over the clean samples (over all of them where none is clean)."""

    rps: dict[int, float]
    cpu_s_per_1k: float | None
    """At the highest number of connections."""
    added_p50_ms: float | None
    added_p99_ms: float | None
    chunks_s: float | None
    ready_s: float | None
    pss_idle_mb: float | None
    pss_loaded_mb: float | None


class _Sample(Protocol):
    @property
    def noisy(self) -> bool: ...


_S = TypeVar("_S", bound=_Sample)


def figures(outcome: Outcome) -> Figures:
    by_connections: dict[int, list[Load]] = {}
    for load in outcome.loads:
        by_connections.setdefault(load.connections, []).append(load)
    most = by_connections[max(by_connections)] if by_connections else []
    return Figures(
        rps={
            connections: _known(_median(loads, lambda load: load.rps))
            for connections, loads in sorted(by_connections.items())
        },
        cpu_s_per_1k=_median(most, lambda load: load.cpu_s_per_1k),
        added_p50_ms=_median(outcome.latencies, lambda x: x.p50_ms - x.direct_p50_ms),
        added_p99_ms=_median(outcome.latencies, lambda x: x.p99_ms - x.direct_p99_ms),
        chunks_s=_median(outcome.streams, lambda x: x.chunks_s),
        ready_s=statistics.median(outcome.ready_s) if outcome.ready_s else None,
        pss_idle_mb=outcome.pss_idle_mb,
        pss_loaded_mb=outcome.pss_loaded_mb,
    )


def _median(samples: Sequence[_S], value: Callable[[_S], float]) -> float | None:
    clean: Iterable[_S] = [sample for sample in samples if not sample.noisy] or samples
    values = [value(sample) for sample in clean]
    return statistics.median(values) if values else None


def _known(value: float | None) -> float:
    assert value is not None
    return value

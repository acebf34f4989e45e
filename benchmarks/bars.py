"""The bars this gateway is held to: always a ratio to a peer measured in the same run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.outcome import Figures

Figure = Callable[[Figures], float | None]


def most_rps(figures: Figures) -> float | None:
    """Requests/s at the highest number of connections."""
    return figures.rps[max(figures.rps)] if figures.rps else None


def cpu(figures: Figures) -> float | None:
    return figures.cpu_s_per_1k


def chunks(figures: Figures) -> float | None:
    return figures.chunks_s


def added_p50(figures: Figures) -> float | None:
    return figures.added_p50_ms


@dataclass(frozen=True)
class Bar:
    """`subject`'s figure over `peer`'s must be at least, or at most, `ratio`."""

    subject: str
    peer: str
    what: str
    figure: Figure
    sense: Literal["at least", "at most"]
    ratio: float


@dataclass(frozen=True)
class Verdict:
    """A bar and the ratio that was measured; `passed` is None where something is missing."""

    bar: Bar
    ratio: float | None
    passed: bool | None


RPS, CPU, CHUNKS, ADDED = "requests/s", "CPU s per 1,000", "chunks/s", "added p50"


def _against(subject: str, peer: str, rps: float, cpu_: float, chunks_: float) -> list[Bar]:
    return [
        Bar(subject, peer, RPS, most_rps, "at least", rps),
        Bar(subject, peer, CPU, cpu, "at most", cpu_),
        Bar(subject, peer, CHUNKS, chunks, "at least", chunks_),
    ]


BARS: tuple[Bar, ...] = (
    # Equal work: one upstream, nothing cached, no guard.
    *_against("bare", "litellm", 30, 1 / 18, 60),
    Bar("bare", "litellm", ADDED, added_p50, "at most", 1),
    *_against("bare", "portkey", 1.8, 0.8, 1.5),
    Bar("bare", "portkey", ADDED, added_p50, "at most", 1),
    # With the default stages on: at least half of that.
    *_against("default", "litellm", 15, 1 / 9, 30),
    Bar("default", "litellm", ADDED, added_p50, "at most", 2),
    *_against("default", "portkey", 0.9, 1.6, 0.75),
    Bar("default", "portkey", ADDED, added_p50, "at most", 2),
    # Keys, limits, budgets and filters on, against nothing on; and with the cache as well.
    Bar("guarded", "bare", CPU, cpu, "at most", 2),
    Bar("guarded", "litellm", RPS, most_rps, "at least", 12),
    Bar("full", "bare", CPU, cpu, "at most", 2),
    Bar("full", "litellm", RPS, most_rps, "at least", 12),
    # Metrics, records, logs and trails on and one request in a hundred traced, against none of it.
    Bar("watched", "unwatched", CPU, cpu, "at most", 1.15),
    # Exact-cache hits against LiteLLM's hits in Redis.
    Bar("cached", "litellm-redis", "hits/s", most_rps, "at least", 50),
    # Filter, cache, router and backend each a deployment of its own. The aim is 0.5.
    Bar("deployed", "default", RPS, most_rps, "at least", 0.25),
)


def judge(measured: Mapping[str, Figures]) -> list[Verdict]:
    """A verdict for every bar whose two sides are there."""
    return [_judge(bar, measured) for bar in BARS if {bar.subject, bar.peer} <= measured.keys()]


def _judge(bar: Bar, measured: Mapping[str, Figures]) -> Verdict:
    ours = bar.figure(measured[bar.subject])
    theirs = bar.figure(measured[bar.peer])
    if ours is None or theirs is None or theirs <= 0:
        return Verdict(bar, None, None)
    ratio = ours / theirs
    return Verdict(
        bar, ratio, ratio >= bar.ratio if bar.sense == "at least" else ratio <= bar.ratio
    )

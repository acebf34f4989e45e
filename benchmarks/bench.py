"""One contender from start to end: started, measured stretch by stretch, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks import proctree
from benchmarks.contenders import Contender
from benchmarks.outcome import Latency, Load, Outcome, Streams
from benchmarks.ports import PortTakenError
from benchmarks.running import NotReadyError, running
from benchmarks.stretches import Stretches
from benchmarks.tools import Bodies, ToolFailedError
from benchmarks.upstream import Upstream

WARM_UP_S = 2.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How long and how often."""

    connections: tuple[int, ...] = (1, 16, 64)
    seconds: float = 10.0
    repeats: int = 3
    probe_s: float = 20.0
    stream_s: float = 8.0
    single: int = 5
    """Times that a cut stream and a leaving client are tried."""
    quiet_s: float = 20.0

    def stretches(self) -> int:
        """Samples that one contender takes, retakes not counted."""
        return self.repeats * (len(self.connections) + 2) + 2


QUICK = Effort(seconds=3, repeats=1, probe_s=3, stream_s=3, single=1, quiet_s=0)


class Bench:
    def __init__(
        self, upstream: Upstream, scratch: Path, effort: Effort, say: Say, step: Callable[[], None]
    ) -> None:
        self._upstream = upstream
        self._scratch = scratch
        self._effort = effort
        self._say = say
        self._step = step

    def measure(self, contender: Contender) -> Outcome:
        """All samples of a contender; what goes wrong is in the outcome's `error`."""
        outcome = Outcome(contender.name, contender.title, contender.cached)
        try:
            with running(contender, self._scratch) as (roots, ready_s):
                if roots:
                    outcome.ready_s.append(ready_s)
                self._stretch_all(contender, roots, outcome)
        except (NotReadyError, PortTakenError, ToolFailedError) as error:
            outcome.error = str(error)
            self._say(f"{contender.name}: {error}")
        return outcome

    def _stretch_all(self, contender: Contender, roots: list[int], outcome: Outcome) -> None:
        effort = self._effort
        bodies = Bodies(self._scratch / "bodies")
        stretches = Stretches(contender, roots, self._upstream, bodies, effort.quiet_s)
        outcome.processes = sorted(proctree.names(roots).values())
        outcome.pss_idle_mb = proctree.pss_mb(roots) if roots else None
        stretches.load(max(effort.connections), WARM_UP_S)
        for _ in range(effort.repeats):
            for connections in effort.connections:
                outcome.loads += self._take(contender, _load(stretches, connections, effort))
            outcome.latencies += self._take(contender, lambda: stretches.latency(effort.probe_s))
            outcome.streams += self._take(contender, lambda: stretches.streams(effort.stream_s))
        outcome.pss_loaded_mb = proctree.pss_mb(roots) if roots else None
        self._singles(stretches, outcome)

    def _singles(self, stretches: Stretches, outcome: Outcome) -> None:
        for _ in range(self._effort.single):
            outcome.cuts.append(stretches.cut())
        self._step()
        for _ in range(self._effort.single):
            outcome.leaves.append(stretches.leave())
        self._step()

    def _take(self, contender: Contender, sample: Callable[[], _S]) -> list[_S]:
        """One sample, and a second where others used the machine; both are kept."""
        taken = [sample()]
        if taken[0].noisy and self._effort.quiet_s:
            taken.append(sample())
        for one in taken:
            self._say(f"{contender.name}: {_line(one)}")
        self._step()
        return taken


_S = TypeVar("_S", Load, Latency, Streams)


def _load(stretches: Stretches, connections: int, effort: Effort) -> Callable[[], Load]:
    return lambda: stretches.load(connections, effort.seconds)


def _line(sample: Load | Latency | Streams) -> str:
    noise = f"  noise {sample.noise_cores:.2f} cores" if sample.noisy else ""
    bad = f"  {sample.bad} bad" if sample.bad else ""
    if isinstance(sample, Load):
        what = f"{sample.rps:,.0f} requests/s at {sample.connections} connections"
        return f"{what}, {sample.cpu_s_per_1k:.3f} CPU s per 1,000{bad}{noise}"
    if isinstance(sample, Latency):
        added = sample.p50_ms - sample.direct_p50_ms, sample.p99_ms - sample.direct_p99_ms
        return f"adds {added[0]:.2f} ms p50, {added[1]:.2f} ms p99{bad}{noise}"
    return f"{sample.chunks_s:,.0f} chunks/s{bad}{noise}"

"""CPU of one stretch: of the gateway, of the rest of the benchmark, and of everybody else.

What others use is the noise: a stretch in which they used much is flagged.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks import proctree

NOISY_CORES = 0.20
"""Cores used by processes that are not part of the benchmark, from which a stretch is noisy."""
LOOK_S = 0.6


@dataclass(frozen=True)
class Cpu:
    """CPU seconds over a stretch of `seconds`."""

    seconds: float
    gateway: float
    upstream: float
    load: float
    machine: float

    @property
    def noise_cores(self) -> float:
        own = self.gateway + self.upstream + self.load
        return round(max(0.0, self.machine - own) / max(self.seconds, 1e-9), 3)

    @property
    def noisy(self) -> bool:
        return self.noise_cores > NOISY_CORES

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(
            self.seconds - other.seconds,
            self.gateway - other.gateway,
            self.upstream - other.upstream,
            self.load - other.load,
            self.machine - other.machine,
        )


class Meter:
    """`with Meter(...) as meter: ...`, then `meter.cpu`."""

    def __init__(self, gateway: list[int], upstream: list[int]) -> None:
        self._gateway = gateway
        self._upstream = upstream
        self._before = self.cpu = Cpu(0, 0, 0, 0, 0)

    def __enter__(self) -> Meter:
        self._before = self._now()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.cpu = self._now() - self._before

    def _now(self) -> Cpu:
        return Cpu(
            seconds=time.monotonic(),
            gateway=proctree.cpu_s(self._gateway),
            upstream=proctree.cpu_s(self._upstream),
            load=_own_s(),
            machine=machine_s(),
        )


def machine_s() -> float:
    """CPU seconds of the whole machine since it started, softirq work included.

    Kernels without IRQ time accounting charge softirq work to the process it happened in, so
    it must be in the machine's sum, too, for the difference to be the others' work.
    """
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = map(int, fields)
    return (user + nice + system + irq + softirq) / proctree.TICKS_PER_S


def _own_s() -> float:
    """Of the benchmark and the load tools it has waited for."""
    own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in own)


def wait_for_quiet(own: list[int], limit_s: float) -> None:
    """Return when others use few cores, or after the limit all the same."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        with Meter(own, []) as meter:
            time.sleep(LOOK_S)
        if not meter.cpu.noisy:
            return

"""Where the microseconds of a request go: `python -m benchmarks.profile [--setup NAME]`.

Runs this gateway under load twice: once to count the CPU time of each of its processes, then
with py-spy sampling the ingress replica. Prints microseconds of a request by layer and writes a
flame graph. py-spy slows the replica, so only its shares are used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from benchmarks import cost, gateway, needs, sampler, stacks, tools
from benchmarks.contenders import Contender
from benchmarks.places import RESULTS, cache_folder
from benchmarks.ports import PortTakenError
from benchmarks.running import NotReadyError, running
from benchmarks.tools import Bodies, ToolFailedError
from benchmarks.upstream import Upstream

REPLICA = "replica Gateway"
UNSAMPLED = "threads without Python (Ray core in C++)"
STREAM_CONNECTIONS = 16
WARM_UP_S = 2.0
SMALL_US = 0.5
"""Rows below so many microseconds are left out."""

Drive = Callable[[float], int]
"""Load for so many seconds; how many requests were answered."""
Samples = Mapping[int, Mapping[str, int]]
"""By thread id and layer."""
K = TypeVar("K")


@dataclass(frozen=True)
class Row:
    layer: str
    micros: float
    share: float
    """Of the whole, 0 to 1."""
    inside: bool = False


def main() -> int:
    arguments = _arguments()
    console = Console()
    lacking = needs.missing()
    if lacking:
        console.print(needs.advice(lacking), style="red", markup=False)
        return 1
    scratch = cache_folder() / "run"
    scratch.mkdir(parents=True, exist_ok=True)
    contender = next(c for c in gateway.setups(scratch) if c.name == arguments.setup)
    try:
        with Upstream(scratch), running(contender, scratch) as (roots, _):
            drive = _drive(contender, Bodies(scratch / "bodies"), arguments)
            _profile(drive, roots, arguments, console)
    except (NotReadyError, PortTakenError, ToolFailedError, sampler.SamplerFailedError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--setup", choices=list(gateway.SETUPS), default="default")
    parser.add_argument("--stream", action="store_true", help="16 streams instead of requests")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stretch")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the flame graph")
    return parser.parse_args()


def _drive(contender: Contender, bodies: Bodies, arguments: argparse.Namespace) -> Drive:
    url, headers, unique = contender.url, contender.headers, not contender.cached
    if arguments.stream:
        body = bodies.chat("mock-n100", stream=True, unique=unique)
        conns = STREAM_CONNECTIONS
        return lambda s: int(tools.client("stream", url, headers, body, s, conns=conns)["streams"])
    body = bodies.chat(unique=unique)
    return lambda s: int(tools.wrk(url, headers, body, arguments.connections, s)["requests"])


def _profile(
    drive: Drive, roots: list[int], arguments: argparse.Namespace, console: Console
) -> None:
    replica = cost.find(roots, REPLICA)
    if replica is None:
        raise NotReadyError("no ingress replica among the gateway's processes")
    drive(WARM_UP_S)
    with console.status("CPU by process"):
        micros, threads = _micros(drive, roots, replica, arguments.seconds)
    with console.status("py-spy"):
        lines = sampler.record(replica, arguments.seconds, drive)
    rows = table_rows(micros, threads, stacks.layers(lines))
    what = "stream" if arguments.stream else "request"
    console.print(_rich(rows, f"Microseconds of CPU a {what}, set-up {arguments.setup!r}"))
    graph = arguments.out / f"profile-{arguments.setup}{'-stream' * arguments.stream}.svg"
    graph.parent.mkdir(parents=True, exist_ok=True)
    with console.status("flame graph"):
        sampler.flame_graph(replica, arguments.seconds, drive, graph)
    console.print(f"flame graph: {graph}", markup=False)


def _micros(
    drive: Drive, roots: list[int], replica: int, seconds: float
) -> tuple[dict[str, float], dict[int, float]]:
    """Microseconds a request by process, and by thread of the replica."""
    processes, threads = cost.by_process(roots), cost.by_thread(replica)
    answered = max(1, drive(seconds))
    later, busy = cost.by_process(roots), cost.by_thread(replica)
    by_process = cost.spent(processes, later)
    by_thread = {thread: spent - threads.get(thread, 0.0) for thread, spent in busy.items()}
    return _per(by_process, answered), _per(by_thread, answered)


def _per(seconds: dict[K, float], answered: int) -> dict[K, float]:
    return {name: value / answered * 1e6 for name, value in seconds.items()}


def table_rows(
    processes: dict[str, float], threads: dict[int, float], samples: Samples
) -> list[Row]:
    """One row a process, largest first; below the replica one a layer."""
    whole = sum(processes.values()) or 1.0
    rows = []
    for name, micros in _largest_first(processes):
        rows.append(Row(name, micros, micros / whole))
        if name == REPLICA:
            inside = _largest_first(by_layer(threads, samples))
            rows += [Row(n, m, m / whole, inside=True) for n, m in inside]
    return [row for row in rows if row.micros >= SMALL_US]


def by_layer(threads: dict[int, float], samples: Samples) -> dict[str, float]:
    """Each thread's time divided as its samples are; that of threads without any as it is."""
    found: dict[str, float] = {}
    for thread, micros in threads.items():
        taken = samples.get(thread, {UNSAMPLED: 1})
        whole = sum(taken.values())
        for name, count in taken.items():
            found[name] = found.get(name, 0.0) + micros * count / whole
    return found


def _largest_first(micros: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(micros.items(), key=lambda pair: -pair[1])


def _rich(rows: list[Row], title: str) -> Table:
    made = Table(title=title, title_justify="left")
    made.add_column("layer", no_wrap=True)
    made.add_column("microseconds", justify="right")
    made.add_column("share", justify="right")
    for row in rows:
        name = f"  {row.layer}" if row.inside else row.layer
        made.add_row(name, f"{row.micros:,.0f}", f"{row.share:.1%}", style="dim" * row.inside)
    whole = sum(row.micros for row in rows if not row.inside)
    made.add_section()
    made.add_row("sum", f"{whole:,.0f}", "")
    return made


if __name__ == "__main__":
    raise SystemExit(main())

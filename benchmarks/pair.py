"""Two set-ups of this gateway side by side, loaded in turns: `python -m benchmarks.pair`.

A machine that is shared with others is faster at one time than at another, by more than what some
bars ask for. Here both run all the time, and load goes to one, then the other, then the other way
round: each turn is a ratio of its own, and the middle one counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import gateway, needs, proctree, tools
from benchmarks.contenders import Contender
from benchmarks.places import cache_folder
from benchmarks.running import running
from benchmarks.tools import Bodies
from benchmarks.upstream import Upstream

SETTLE_S = 1.0
"""What is written down twice a second belongs to the requests before."""
WARM_S = 3.0


@dataclass(frozen=True)
class Side:
    """A gateway that runs."""

    contender: Contender
    roots: list[int]

    def cost(self, bodies: Bodies, connections: int, seconds: float) -> float:
        """Microseconds of CPU a request, of all its processes."""
        body = bodies.chat(unique=not self.contender.cached)
        before = proctree.cpu_s(self.roots)
        got = tools.wrk(self.contender.url, self.contender.headers, body, connections, seconds)
        time.sleep(SETTLE_S)
        spent = proctree.cpu_s(self.roots) - before
        good = int(got["requests"] - got["non2xx"])
        return spent / good * 1e6


@contextmanager
def _side(name: str, scratch: Path) -> Iterator[Side]:
    [contender] = [one for one in gateway.setups(scratch) if one.name == name]
    with running(contender, scratch) as (roots, _):
        yield Side(contender, roots)


def compare(
    one: Side, other: Side, bodies: Bodies, connections: int, seconds: float, turns: int
) -> list[tuple[float, float]]:
    """What a request costs at each side, turn by turn."""
    found: list[tuple[float, float]] = []
    for side in (one, other):
        side.cost(bodies, connections, WARM_S)
    for turn in track(range(turns), f"{connections} connections", console=Console(stderr=True)):
        order = (one, other) if turn % 2 else (other, one)
        costs = {id(side): side.cost(bodies, connections, seconds) for side in order}
        found.append((costs[id(one)], costs[id(other)]))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if lacking := needs.missing():
        print(needs.advice(lacking), file=sys.stderr)
        return 1
    scratch = options.peers / "run"
    scratch.mkdir(parents=True, exist_ok=True)
    table = Table("connections", f"{options.one}, us", f"{options.other}, us", "ratio", "quartiles")
    with (
        Upstream(scratch) as upstream,
        _side(options.one, scratch) as one,
        _side(options.other, scratch) as other,
    ):
        bodies = Bodies(scratch / "bodies")
        upstream.counts(reset=True)
        for connections in options.connections:
            costs = compare(one, other, bodies, connections, options.seconds, options.turns)
            table.add_row(str(connections), *_told(costs))
    Console().print(table)
    return 0


def _told(costs: list[tuple[float, float]]) -> list[str]:
    ratios = [first / second for first, second in costs]
    low, middle, high = statistics.quantiles(ratios, n=4)
    middles = [f"{statistics.median(side):.0f}" for side in zip(*costs, strict=True)]
    return [*middles, f"{middle:.3f}", f"{low:.3f} to {high:.3f}"]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pair", description=__doc__)
    names = sorted(gateway.SETUPS)
    parser.add_argument("one", nargs="?", choices=names, default="watched")
    parser.add_argument("other", nargs="?", choices=names, default="unwatched")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each stretch")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--peers", type=Path, default=cache_folder(), help="where scratch files go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

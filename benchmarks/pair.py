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

QUIET_S = 12.0
"""Longer than the ten seconds between two of Ray's own reports."""
WARM_S = 3.0
MIN_TURNS = 2


@dataclass
class Side:
    """A gateway that runs."""

    contender: Contender
    roots: list[int]
    idle: float = 0.0
    """Seconds of CPU a second, when nobody asks."""

    def spent(self) -> float:
        """Seconds of CPU so far, of all its processes."""
        return proctree.cpu_s(self.roots)

    def asked(self, bodies: Bodies, connections: int, seconds: float) -> int:
        """How many requests it answered.

        Raises:
            ToolFailedError: none.
        """
        body = bodies.chat(unique=not self.contender.cached)
        got = tools.wrk(self.contender.url, self.contender.headers, body, connections, seconds)
        good = int(got["requests"] - got["non2xx"])
        if not good:
            raise tools.ToolFailedError(f"{self.contender.title} answered no request well")
        return good


@contextmanager
def _side(name: str, scratch: Path) -> Iterator[Side]:
    [contender] = [one for one in gateway.setups(scratch) if one.name == name]
    with running(contender, scratch) as (roots, _):
        yield Side(contender, roots)


def compare(
    sides: tuple[Side, Side], bodies: Bodies, connections: int, seconds: float, turns: int
) -> list[tuple[float, float]]:
    """Microseconds of CPU a request at each side, turn by turn.

    What a side does while the other is asked counts too, as much is done later than the request,
    but for what it does when nobody asks.
    """
    for side in sides:
        side.asked(bodies, connections, WARM_S)
    _look_at_idle(sides)
    found: list[tuple[float, float]] = []
    for turn in track(range(turns), f"{connections} connections", console=Console(stderr=True)):
        before = [side.spent() for side in sides]
        answered, took = [0, 0], [0.0, 0.0]
        for at in (0, 1) if turn % 2 else (1, 0):
            began = time.monotonic()
            answered[at] = sides[at].asked(bodies, connections, seconds)
            took[at] = time.monotonic() - began
        first, second = (
            (side.spent() - before[at] - side.idle * took[1 - at]) / answered[at] * 1e6
            for at, side in enumerate(sides)
        )
        found.append((first, second))
    return found


def _look_at_idle(sides: tuple[Side, Side]) -> None:
    time.sleep(QUIET_S)  # until what was asked before is written down
    before = [side.spent() for side in sides]
    time.sleep(QUIET_S)
    for side, spent in zip(sides, before, strict=True):
        side.idle = (side.spent() - spent) / QUIET_S


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if lacking := needs.missing():
        print(needs.advice(lacking), file=sys.stderr)
        return 1
    scratch = options.peers / "run"
    scratch.mkdir(parents=True, exist_ok=True)
    table = Table("connections", f"{options.one}, us", f"{options.other}, us", "ratio", "quartiles")
    with (
        Upstream(scratch),
        _side(options.one, scratch) as one,
        _side(options.other, scratch) as other,
    ):
        bodies = Bodies(scratch / "bodies")
        for connections in options.connections:
            costs = compare((one, other), bodies, connections, options.seconds, options.turns)
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
    options = parser.parse_args(arguments)
    if options.turns < MIN_TURNS:
        parser.error(f"--turns: at least {MIN_TURNS}, for quartiles")
    return options


if __name__ == "__main__":
    sys.exit(main())

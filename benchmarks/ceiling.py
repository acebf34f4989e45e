"""Cache hits beside the least this gateway can do: `python -m benchmarks.ceiling`.

The same request over the same connections, once answered from the cache and once refused with 404
before anything looks at it: what lies between is ours, what is below is Ray Serve, HAProxy and the
socket. Both in turn, several times, so that a slow moment of the machine hits both.
"""

from __future__ import annotations

import argparse
import json
from statistics import median

from rich.console import Console

from benchmarks import gateway, needs, tools
from benchmarks.places import cache_folder
from benchmarks.ports import PortTakenError
from benchmarks.running import NotReadyError, running
from benchmarks.tools import Bodies, ToolFailedError
from benchmarks.upstream import Upstream

BAR = 0.6
"""Of the empty answers a second, so many should be hits."""
CHAT = "/v1/chat/completions"
NOWHERE = "/v1/nothing"


def measure(connections: int, seconds: float, rounds: int) -> dict[str, float]:
    """Requests/s of hits and of empty answers, their ratio, and a lone hit's p50 in ms."""
    scratch = cache_folder() / "run"
    scratch.mkdir(parents=True, exist_ok=True)
    contender = next(c for c in gateway.setups(scratch) if c.name == "cached")
    body = Bodies(scratch / "bodies").chat(unique=False)
    hits: list[float] = []
    empty: list[float] = []
    with Upstream(scratch), running(contender, scratch):
        nowhere = contender.url.replace(CHAT, NOWHERE)
        tools.wrk(contender.url, contender.headers, body, connections, 1.0)
        for _ in range(rounds):
            for url, found in ((contender.url, hits), (nowhere, empty)):
                got = tools.wrk(url, contender.headers, body, connections, seconds)
                found.append(got["requests"] / got["seconds"])
        lone = tools.wrk(contender.url, contender.headers, body, 1, seconds)
    ratios = [hit / least for hit, least in zip(hits, empty, strict=True)]
    return {
        "hits_s": median(hits),
        "empty_s": median(empty),
        "ratio": median(ratios),
        "p50_ms": lone["p50_ms"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ceiling", description=__doc__)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each stretch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    console = Console()
    if lacking := needs.missing():
        console.print(needs.advice(lacking), style="red", markup=False)
        return 1
    try:
        found = measure(asked.connections, asked.seconds, asked.rounds)
    except (NotReadyError, PortTakenError, ToolFailedError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    if asked.json:
        print(json.dumps(found))
        return 0
    verdict = "met" if found["ratio"] >= BAR else "MISSED"
    console.print(
        f"{found['hits_s']:,.0f} hits/s of {found['empty_s']:,.0f} empty answers/s: "
        f"{found['ratio']:.2f} (bar {BAR}: {verdict}); a lone hit {found['p50_ms']:.2f} ms (p50)",
        highlight=False,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

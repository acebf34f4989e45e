"""What wrk cannot do: open-loop latency, streams, and what a single client sees.

    python -m benchmarks.load.client probe  URL BODY_FILE --rate 10 --seconds 20
    python -m benchmarks.load.client stream URL BODY_FILE --conns 16 --seconds 8
    python -m benchmarks.load.client once   URL BODY_FILE [--leave-after N]

Each prints one JSON object. The probe counts every request from the instant it was due, so that
a gateway that falls behind cannot hide it (no coordinated omission).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.load.connection import Pool, Request, now

ANSWER_LIMIT_S = 30.0
LOOPBACK = ("127.0.0.1", "localhost")


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Nearest rank; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 3)


async def probe(pool: Pool, request: Request, rate: float, seconds: float) -> dict[str, Any]:
    """Requests at a fixed rate whatever the answers do; latency in ms."""
    latencies: list[float] = []
    bad = 0

    async def one(due: float) -> None:
        nonlocal bad
        answer = await pool.ask(request, ANSWER_LIMIT_S)
        if answer.good:
            latencies.append(answer.ended - due)
        else:
            bad += 1

    start = now() + 0.05
    async with asyncio.TaskGroup() as group:
        for index in range(int(rate * seconds)):
            due = start + index / rate
            await asyncio.sleep(max(0.0, due - now()))
            group.create_task(one(due))
    return {
        "requests": len(latencies) + bad,
        "bad": bad,
        "p50_ms": _ms(percentile(latencies, 50)),
        "p99_ms": _ms(percentile(latencies, 99)),
        "max_ms": _ms(max(latencies, default=None)),
    }


async def stream(pool: Pool, request: Request, conns: int, seconds: float) -> dict[str, Any]:
    """Streams one after the other on each connection; a stream without `[DONE]` is bad."""
    firsts: list[float] = []
    chunks = streams = bad = 0
    start = now()

    async def worker() -> None:
        nonlocal chunks, streams, bad
        while now() < start + seconds:
            answer = await pool.ask(request, ANSWER_LIMIT_S)
            chunks += answer.events
            if answer.good and answer.done_mark and answer.first is not None:
                streams += 1
                firsts.append(answer.first - answer.sent)
            else:
                bad += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(conns):
            group.create_task(worker())
    spent = now() - start
    return {
        "seconds": round(spent, 3),
        "streams": streams,
        "bad": bad,
        "chunks": chunks,
        "chunks_s": round(chunks / spent, 1),
        "first_chunk_p50_ms": _ms(percentile(firsts, 50)),
        "first_chunk_p99_ms": _ms(percentile(firsts, 99)),
    }


async def once(
    pool: Pool, request: Request, seconds: float, leave_after: int | None
) -> dict[str, Any]:
    """One request: how it ended, and the last bytes that came."""
    answer = await pool.ask(request, seconds, leave_after)
    return {
        "how": answer.how,
        "status": answer.status,
        "ms": _ms(answer.ended - answer.sent),
        "chunks": answer.events,
        "done": answer.done_mark,
        "tail": bytes(answer.body[-400:]).decode("utf-8", "replace"),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["probe", "stream", "once"])
    parser.add_argument("url")
    parser.add_argument("body", type=Path)
    parser.add_argument("--header", action="append", default=[], help="NAME=VALUE")
    parser.add_argument("--rate", type=float, default=10.0, help="requests a second")
    parser.add_argument("--conns", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--leave-after", type=int, help="events")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    url = urlsplit(arguments.url)
    if url.hostname not in LOOPBACK or url.port is None:
        raise SystemExit(f"{arguments.url}: load goes to loopback addresses only")
    headers = dict(h.split("=", 1) for h in arguments.header)
    request = Request(url.path, url.netloc, headers, arguments.body.read_bytes())
    pool = Pool(url.hostname, url.port)
    if arguments.mode == "probe":
        return await probe(pool, request, arguments.rate, arguments.seconds)
    if arguments.mode == "stream":
        return await stream(pool, request, arguments.conns, arguments.seconds)
    return await once(pool, request, arguments.seconds, arguments.leave_after)


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(_arguments()))))

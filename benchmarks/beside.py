"""Interactive requests while a batch runs: `python -m benchmarks.beside`.

Requests at a steady rate against a model that takes 300 ms, without a batch and then beside one of
`/v1/batches` in the same replica; both stretches in one run. The bar: the 99th percentile with a
batch is at most 1.3 times that without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from rich.console import Console

from benchmarks import gateway, needs
from benchmarks.places import GATEWAY_PORTS, HERE, cache_folder
from benchmarks.ports import PortTakenError, first_free
from benchmarks.running import NotReadyError, running
from benchmarks.upstream import Upstream

BAR: Final = 1.3
MODEL: Final = "mock-d300"
CHAT: Final = "/v1/chat/completions"
_LIMIT_S: Final = 300.0


def _body(text: str) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}


async def _ask(http: aiohttp.ClientSession, text: str) -> float:
    """Milliseconds of one request."""
    began = time.perf_counter()
    async with http.post(CHAT, json=_body(text)) as answer:
        await answer.read()
        answer.raise_for_status()
    return (time.perf_counter() - began) * 1000


async def _steady(
    http: aiohttp.ClientSession, rate: float, seconds: float, name: str
) -> list[float]:
    """Milliseconds of each of the requests of a stretch, sent on time however slow others are."""
    began, asked = time.monotonic(), []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        asked.append(asyncio.create_task(_ask(http, f"{name} {number}")))
    return sorted(await asyncio.gather(*asked))


async def _submitted(http: aiohttp.ClientSession, lines: int) -> str:
    """The id of a batch of so many lines."""
    rows = [
        {"custom_id": str(n), "method": "POST", "url": CHAT, "body": _body(f"line {n}")}
        for n in range(lines)
    ]
    form = aiohttp.FormData({"purpose": "batch"})
    form.add_field("file", "\n".join(map(json.dumps, rows)), filename="lines.jsonl")
    async with http.post("/v1/files", data=form) as answer:
        file = (await answer.json())["id"]
    asked = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    async with http.post("/v1/batches", json=asked) as answer:
        return str((await answer.json())["id"])


async def _state(http: aiohttp.ClientSession, batch: str) -> dict[str, Any]:
    async with http.get(f"/v1/batches/{batch}") as answer:
        return dict(await answer.json())


async def _until(http: aiohttp.ClientSession, batch: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(_LIMIT_S):
        while (found := await _state(http, batch))["status"] not in states:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.1)
    return found


async def measure(url: str, rate: float, seconds: float, lines: int) -> dict[str, Any]:
    """Percentiles of both stretches in ms, and how the batch did."""
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(_LIMIT_S)) as http:
        await _steady(http, rate, 3, "warm")
        alone = await _steady(http, rate, seconds, "alone")
        batch = await _submitted(http, lines)
        await _until(http, batch, "in_progress")
        began = time.monotonic()
        beside = await _steady(http, rate, seconds, "beside")
        was_running = (await _state(http, batch))["status"] == "in_progress"
        over = await _until(http, batch, "completed", "failed")
    return {
        "alone_p99_ms": _percentile(alone, 0.99),
        "beside_p99_ms": _percentile(beside, 0.99),
        "alone_p50_ms": _percentile(alone, 0.5),
        "beside_p50_ms": _percentile(beside, 0.5),
        "ratio": _percentile(beside, 0.99) / _percentile(alone, 0.99),
        "lines_per_s": over["request_counts"]["completed"] / (time.monotonic() - began),
        "lines": over["request_counts"]["completed"],
        "ran_all_the_time": was_running,
    }


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _config(folder: Path) -> Path:
    """The default set-up, with the slow model."""
    content = yaml.safe_load((HERE / "gateway" / "default.yaml").read_text())
    [app] = content["applications"]
    app["args"]["backends"][0]["models"].append({"id": MODEL, "context": 131_072})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "beside.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stretch")
    parser.add_argument("--lines", type=int, default=4000, help="of the batch")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    console = Console()
    if lacking := needs.missing():
        console.print(needs.advice(lacking), style="red", markup=False)
        return 1
    scratch = cache_folder() / "run"
    scratch.mkdir(parents=True, exist_ok=True)
    default = next(c for c in gateway.setups(scratch) if c.name == "default")
    port = first_free(GATEWAY_PORTS)
    config = _config(scratch / "gateway-configs")
    data = scratch / "gateway-data" / "beside"
    contender = replace(default, launcher=lambda: gateway.ServeApp(config, data, port))
    try:
        with Upstream(scratch), running(contender, scratch):
            url = contender.url.removesuffix(CHAT)
            found = asyncio.run(measure(url, asked.rate, asked.seconds, asked.lines))
    except (NotReadyError, PortTakenError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    if asked.json:
        print(json.dumps(found))
        return 0
    verdict = "met" if found["ratio"] <= BAR and found["ran_all_the_time"] else "MISSED"
    console.print(
        f"p99 {found['beside_p99_ms']:.0f} ms beside a batch ({found['lines_per_s']:.0f} lines/s), "
        f"{found['alone_p99_ms']:.0f} ms without: {found['ratio']:.2f} (bar {BAR}: {verdict})",
        highlight=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

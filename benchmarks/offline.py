"""Tokens/s of a batch, straight on vLLM and through the gateway, over vLLM's own `LLM.generate`.

    python -m benchmarks.offline --rows 64 --tokens 32
    python -m benchmarks.offline --device gpu --shape llama-8b --rows 2048 --at-once 256

All on the same rows, one after the other on this machine. Each way's tokens count from its first
request to its last answer; loading the model does not. On a CPU both are measured against the
faster of `LLM.generate` with all cores and with one less. A shape is a model of that size with
weights that mean nothing, and the embedded model's tokenizer: what it says is noise, but an engine
takes as long for it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.shapes import SHAPES, shaped
from serve_app.batch.order import Device
from serve_app.models.embedded import location, prepare

ROOT = Path(__file__).resolve().parents[1]
MODEL = "smollm2-135m-instruct"
PROMPT = "Write a few sentences about {text}."
_LIMIT_S = 1800
BARS = {"vllm": 0.9, "graph": 0.8}
"""What each way must reach of `LLM.generate`."""


@dataclass
class Way:
    """One way's figures, and with how many threads its peer was fastest (0: on a GPU)."""

    name: str
    tokens_per_s: float
    peer_tokens_per_s: float
    peer_threads: int

    @property
    def ratio(self) -> float:
        return self.tokens_per_s / self.peer_tokens_per_s


@dataclass
class Bench:
    """The same rows for all."""

    rows: Path
    tokens: int
    at_once: int
    device: Device
    model: str
    """`embedded`, or a folder."""
    engine: dict[str, Any]
    """More arguments of vLLM's engine."""
    environ: dict[str, str]
    folder: Path

    def generate(self, threads: int | None) -> float:
        """Tokens/s of `LLM.generate`."""
        words = [str(self.rows), "--tokens", str(self.tokens), "--at-once", str(self.at_once)]
        words += [
            "--device",
            self.device,
            "--model",
            self.model,
            "--engine",
            json.dumps(self.engine),
        ]
        return float(self._run("benchmarks.offline_llm", words, threads)["tokens_per_s"])

    def batch(self, *words: str) -> float:
        """Tokens/s of the batch program."""
        output = self.folder / f"{words[1]}.jsonl"
        order = [
            "run", str(self.rows), "-o", str(output), "--prompt", PROMPT,
            "--max-tokens", str(self.tokens), "--param", "ignore_eos=true",
            "--concurrency", str(self.at_once), "--progress", "lines", "--json", *words,
        ]  # fmt: skip
        summary = self._run("serve_app.batch", order)
        assert summary["failed"] == 0, summary
        return float(summary["tokens_per_s"])

    def _run(self, module: str, words: Sequence[str], threads: int | None = None) -> dict[str, Any]:
        """The JSON in a program's last line."""
        ran = subprocess.run(
            [sys.executable, "-m", module, *words],
            env=self.environ | _threads(threads),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_LIMIT_S,
            check=True,
        )
        said: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
        return said

    def straight(self) -> float:
        """Tokens/s of a batch on engines."""
        more = [w for name, value in self.engine.items() for w in ("--engine", f"{name}={value}")]
        return self.batch("--via", "vllm", "--model", self.model, "--device", self.device, *more)

    @contextlib.contextmanager
    def gateway(self, threads: int | None) -> Iterator[str]:
        """Address of a gateway with the same model and as many sequences at once."""
        port = _free_port()
        overlay = self.folder / "overlay.yaml"
        model = {
            "max_running": self.at_once, "context": 2048, "cpus": 0.5,
            "device": self.device, "path": self.model, "engine_kwargs": self.engine,
        }  # fmt: skip
        backend = {"name": "local", "max_running": self.at_once}
        apps = [
            {"name": "gateway", "args": {"backends": [backend]}},
            {"name": "local-model", "args": model},
        ]
        overlay.write_text(yaml.safe_dump({"applications": apps}), encoding="utf-8")
        words = ["up", "--config", "personal", "--overlay", str(overlay), "--port", str(port)]
        environ = self.environ | _threads(threads)
        serve_app = [sys.executable, "-m", "serve_app"]
        subprocess.run([*serve_app, *words], env=environ, cwd=ROOT, timeout=_LIMIT_S, check=True)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            subprocess.run([*serve_app, "down"], env=environ, cwd=ROOT, timeout=120, check=True)


def _threads(count: int | None) -> dict[str, str]:
    return {} if count is None else {"OMP_NUM_THREADS": str(count)}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def measure(bench: Bench, ways: Sequence[str]) -> list[Way]:
    cores = len(os.sched_getaffinity(0))
    fewer = max(1, cores - 1) if bench.device == "cpu" else None
    if fewer is None:
        peer, threads = bench.generate(None), 0
    else:
        peer, threads = max((bench.generate(threads), threads) for threads in {fewer, cores})
    found: list[Way] = []
    if "vllm" in ways:
        found.append(Way("vllm", bench.straight(), peer, threads))
    if "graph" in ways:
        with bench.gateway(fewer) as url:
            reached = bench.batch("--via", "graph", "--model", MODEL, "--url", url)
        found.append(Way("graph", reached, peer, threads))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=32, help="of each answer")
    parser.add_argument("--at-once", type=int, default=16, help="sequences in the engine")
    parser.add_argument("--way", choices=("vllm", "graph"), action="append")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--shape", choices=sorted(SHAPES), help="default: the embedded model")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="sa-offline-"))
    try:
        bench = _bench(folder, options)
        for way in measure(bench, options.way or ("vllm", "graph")):
            told = asdict(way) | {"ratio": round(way.ratio, 3), "bar": BARS[way.name]}
            print(json.dumps(told), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _bench(folder: Path, options: argparse.Namespace) -> Bench:
    rows = folder / "rows.jsonl"
    lines = [
        json.dumps({"text": f"the number {n} and its neighbours"}) for n in range(options.rows)
    ]
    rows.write_text("\n".join([*lines, ""]), encoding="utf-8")
    data = folder / "data"
    data.mkdir()
    # The model that this machine has prepared for the tests, or will have.
    shared = location(Path.home() / ".cache" / "serve-app-tests")
    shared.parent.mkdir(parents=True, exist_ok=True)
    location(data).parent.symlink_to(shared.parent)
    environ = os.environ | {"SERVE_APP_DATA_DIR": str(data)}
    prepare(location(data), lambda _stage, _done: None)
    model, engine = "embedded", {}
    if options.shape:
        model = str(shaped(options.shape, location(data), folder / "model"))
        engine = {"load_format": "dummy"}
    return Bench(
        rows, options.tokens, options.at_once, options.device, model, engine, environ, folder
    )


if __name__ == "__main__":
    sys.exit(main())

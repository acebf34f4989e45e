"""A batch as a Ray job on the gateway's own cluster: followed, killed, stopped, capped."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psutil
import pytest
from batch.batch_world import numbered, read_jsonl, write_jsonl
from instances import Instance
from provider.fixtures import ScriptedProvider

pytestmark = [pytest.mark.graph, pytest.mark.timeout(700)]

ROWS = 60
MODEL = "gpt-5"
LIMIT_S = 240.0


class World:
    """One batch on a running gateway."""

    def __init__(self, gateway: Instance, folder: Path, name: str) -> None:
        self._gateway = gateway
        # No row of one test is in the cache from another.
        rows = [row | {"text": f"{name} {row['text']}"} for row in numbered(ROWS)]
        self.given = write_jsonl(folder / "in.jsonl", rows)
        self.output = folder / f"{name}.jsonl"
        self.expected = [f"You said: Say {row['text']}" for row in rows]

    def batch(self, *words: str) -> CompletedProcess[str]:
        order = [self.given.name, "-o", self.output.name, "--prompt", "Say {text}"]
        options = ["--model", MODEL, "--concurrency", "4", "--json", "--quiet"]
        return self.command(*order, *options, *words)

    def command(self, *words: str) -> CompletedProcess[str]:
        """In the folder of the files, which is not the job's."""
        return self._gateway.run("batch", *words, limit_s=LIMIT_S, cwd=self.given.parent)

    def done(self, *words: str) -> dict[str, Any]:
        """The summary of a batch that ran to its end, with every row right."""
        ran = self.batch(*words)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        rows = read_jsonl(self.output)
        assert [row["id"] for row in rows] == list(range(ROWS))
        assert [row["response"] for row in rows] == self.expected
        summary: dict[str, Any] = json.loads(ran.stdout)
        return summary

    def begin(self) -> str:
        """Without watching; the job's name once some rows are kept, and not all."""
        ran = self.batch("--detach")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        before = self.kept()
        wait(lambda: self.kept() > before)
        return ran.stdout.strip()

    def kept(self) -> int:
        parts = Path(f"{self.output}.parts").glob("0*.jsonl")
        return sum(part.read_bytes().count(b"\n") for part in parts)

    def driver(self) -> psutil.Process:
        """The program, not the shell that Ray starts it with."""
        found = self._gateway.processes(f"--output={self.output}")
        [program] = [p for p in found if "python" in p.name()]
        return program


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def world(
    personal: Instance, provider: ScriptedProvider, tmp_path: Path, request: pytest.FixtureRequest
) -> World:
    return World(personal, tmp_path, request.node.name.removeprefix("test_"))


def test_a_batch_is_answered_in_order_and_its_cost_is_told(
    world: World, provider: ScriptedProvider
) -> None:
    summary = world.done()
    assert (summary["rows"], summary["failed"]) == (ROWS, 0)
    assert float(summary["cost_usd"]) > 0
    assert len(provider.log(MODEL)) == ROWS
    again = world.done()  # has nothing to do
    assert again["cost_usd"] == summary["cost_usd"]
    assert len(provider.log(MODEL)) == ROWS


def test_killed_and_stopped_the_same_command_goes_on(
    world: World, provider: ScriptedProvider
) -> None:
    provider.script(MODEL, "slow-400ms")
    job = world.begin()
    world.driver().send_signal(signal.SIGKILL)
    assert world.command("--follow", job).returncode == 1
    kept = world.kept()
    assert 0 < kept < ROWS

    job = world.begin()
    stopped = world.command("--stop", job)
    assert stopped.returncode == 0, stopped.stderr
    assert world.command("--follow", job).returncode == 130
    assert kept < world.kept() < ROWS

    provider.script(MODEL, "ok")
    world.done()
    assert len(provider.log(MODEL)) < 2 * ROWS
    assert not Path(f"{world.output}.parts").exists()


def test_caps_stop_it_and_it_goes_on_when_they_are_raised(
    world: World, provider: ScriptedProvider
) -> None:
    provider.script(MODEL, "bad-request")
    capped = world.batch("--max-errors", "5%")
    assert capped.returncode == 3, capped.stdout + capped.stderr
    summary = json.loads(capped.stdout)
    assert summary["status"] == "stopped"
    assert ROWS * 5 // 100 < summary["failed"] <= ROWS * 5 // 100 + 4  # what ran may end
    assert not world.output.exists()

    provider.script(MODEL, "ok")
    poor = world.batch("--retry-errors", "--budget", "0.0005")
    assert poor.returncode == 3, poor.stdout + poor.stderr
    summary = json.loads(poor.stdout)
    assert "budget" in summary["why"]
    assert 0 < summary["done"] < ROWS
    assert world.done("--retry-errors")["failed"] == 0


def test_a_model_that_nobody_has_ends_it_at_once(world: World) -> None:
    ran = world.batch("--model", "no-such-model")
    assert ran.returncode == 3, ran.stdout + ran.stderr
    summary = json.loads(ran.stdout)
    assert "no-such-model" in summary["why"]
    assert summary["failed"] == 0

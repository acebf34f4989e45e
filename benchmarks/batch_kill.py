"""Kill -9 at random moments: does the batch program lose rows, or write any twice?

    python -m benchmarks.batch_kill --rows 2000 --kills 3

Runs a batch undisturbed, then the same batch anew and kills it several times (the program alone,
or it with everything that it started, in turns), and compares the two outputs byte by byte. The
answers come from the scripted provider of the tests.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROVIDER = ROOT / "tests" / "provider" / "server.py"
MODEL = "slow-200ms"
_LIMIT_S = 300.0
_POLL_S = 0.02


@dataclass
class Run:
    """One start of the program."""

    seconds: float
    rows_before: int
    rows_after: int
    killed: str = ""


@dataclass
class Found:
    """What a disturbed batch came to."""

    rows: int
    identical: bool
    duplicates: int
    missing: int
    runs: list[Run] = field(default_factory=list)


class Program:
    """The batch program on one output, against one address."""

    def __init__(self, given: Path, output: Path, url: str, *more: str) -> None:
        self.output = output
        self._parts = output.with_name(f"{output.name}.parts")
        self._command = [
            sys.executable, "-m", "serve_app.batch", "run", str(given), "-o", str(output),
            "--prompt", "Say {text}", "--model", MODEL, "--url", url, "--concurrency", "16",
            "--part-rows", "100", "--quiet", "--json", *more,
        ]  # fmt: skip

    def start(self) -> subprocess.Popen[bytes]:
        """In a process group of its own, so that all of it can be killed."""
        return subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )

    def run(self) -> Run:
        """To the end."""
        before, began = self.kept(), time.monotonic()
        process = self.start()
        said, _ = process.communicate(timeout=_LIMIT_S)
        assert process.returncode == 0, said.decode()
        return Run(time.monotonic() - began, before, self.kept())

    def run_until(self, rows: int, extra_s: float, *, whole: bool) -> Run:
        """Kill it a moment after so many rows are kept.

        Args:
            whole: everything that it started as well.
        """
        before, began = self.kept(), time.monotonic()
        process = self.start()
        while self.kept() < rows:
            assert process.poll() is None, (process.stdout and process.stdout.read(), rows)
            assert time.monotonic() - began < _LIMIT_S
            time.sleep(_POLL_S)
        time.sleep(extra_s)
        how = kill(process, whole=whole)
        return Run(time.monotonic() - began, before, self.kept(), how)

    def kept(self) -> int:
        """Rows with a result on disk."""
        if not self._parts.is_dir():
            return 0
        count = 0
        for part in self._parts.glob("0*.jsonl"):
            with contextlib.suppress(FileNotFoundError):
                count += part.read_bytes().count(b"\n")
        return count


def kill(process: subprocess.Popen[bytes], *, whole: bool) -> str:
    if whole:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
    return "all of it" if whole else "the program"


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """Address of a scripted provider."""
    process = subprocess.Popen(
        [sys.executable, str(PROVIDER), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def write_rows(path: Path, rows: int) -> None:
    lines = [json.dumps({"id": n, "text": f"this is line {n}"}) for n in range(rows)]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def disturbed(program: Program, rows: int, kills: int, lot: random.Random) -> list[Run]:
    """Run to the end, killed on the way; the later, the more rows are kept."""
    marks = sorted(lot.randrange(1, rows * 9 // 10) for _ in range(kills))
    runs = [
        program.run_until(mark, lot.random() * 0.5, whole=bool(number % 2))
        for number, mark in enumerate(marks)
    ]
    return [*runs, program.run()]


def compare(expected: bytes, output: Path, rows: int) -> Found:
    got = output.read_bytes()
    ids = [json.loads(line)["id"] for line in got.splitlines()]
    return Found(
        rows=len(ids),
        identical=got == expected,
        duplicates=len(ids) - len(set(ids)),
        missing=len(set(range(rows)) - set(ids)),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="batch-kill-") as folder, provider() as url:
        given = Path(folder) / "rows.jsonl"
        write_rows(given, options.rows)
        quiet = Program(given, Path(folder) / "undisturbed.jsonl", url)
        undisturbed = quiet.run()
        program = Program(given, Path(folder) / "disturbed.jsonl", url)
        runs = disturbed(program, options.rows, options.kills, random.Random(options.seed))
        found = compare(quiet.output.read_bytes(), program.output, options.rows)
        found.runs = [undisturbed, *runs]
    print(json.dumps(asdict(found), indent=1))
    return 0 if found.identical and found.rows == options.rows else 1


if __name__ == "__main__":
    sys.exit(main())

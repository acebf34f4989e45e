"""py-spy on one process while load runs: collapsed stacks, or a flame graph."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import needs

SAMPLES_A_SECOND = 250
GRACE_S = 60.0


class SamplerFailedError(RuntimeError):
    """py-spy is not there or may not look; the message says which."""


def record(pid: int, seconds: float, drive: Callable[[float], object]) -> list[str]:
    """Collapsed stacks of the threads that were running, with full file names."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stacks.txt"
        options = ["--format", "raw", "--threads", "--full-filenames", "--output", str(out)]
        _sample(pid, seconds, drive, options)
        return out.read_text().splitlines()


def flame_graph(pid: int, seconds: float, drive: Callable[[float], object], out: Path) -> None:
    """The same as a picture (SVG)."""
    _sample(pid, seconds, drive, ["--format", "flamegraph", "--output", str(out)])


def _sample(pid: int, seconds: float, drive: Callable[[float], object], options: list[str]) -> None:
    whole = max(1, int(seconds))
    argv = [_py_spy(), "record", "--pid", str(pid), "--duration", str(whole)]
    argv += ["--rate", str(SAMPLES_A_SECOND), *options]
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(drive, whole + 1.0)
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=whole + GRACE_S, check=False
        )
        load.result()
    if done.returncode != 0:
        raise SamplerFailedError(
            f"py-spy could not look at process {pid}: {done.stderr.strip()[-300:]}\n"
            "It needs root, or: sysctl kernel.yama.ptrace_scope=0"
        )


def _py_spy() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.is_file() else needs.program("py-spy")
    if found is None:
        raise SamplerFailedError("py-spy is not installed: pip install py-spy")
    return found

"""The lock between processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serve_app.models.lock import Busy, exclusive

HOLD = """
import sys
from pathlib import Path
from serve_app.models.lock import exclusive
with exclusive(Path(sys.argv[1]), timeout_s=5):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_lock_is_busy_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.lock"
    with holder(path) as process:
        with pytest.raises(Busy, match=r"model\.lock"), exclusive(path, timeout_s=0):
            pass
        process.communicate("", timeout=10)
    with exclusive(path, timeout_s=5):
        assert path.exists()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "model.lock"
    with holder(path) as process:
        process.kill()
        with exclusive(path, timeout_s=30):
            assert process.wait(timeout=10) != 0

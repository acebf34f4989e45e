"""The command line as a user runs it, in a world of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


class Command:
    """`serve-app` as a user runs it, with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SERVE_APP_", "RAY_")) and not name.endswith("_API_KEY")
        }
        self.environ = inherited | {
            "SERVE_APP_DATA_DIR": str(folder),
            "SERVE_APP_PORT": str(self.port),
            "PYTHONPATH": str(HERE),  # where the stand-in application is
            "COLUMNS": "200",
        }

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "serve_app", *arguments],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, stdin: str = "", limit_s: float = 250.0
    ) -> subprocess.CompletedProcess[str]:
        child = self.start(*arguments)
        try:
            out, err = child.communicate(stdin, timeout=limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        return subprocess.CompletedProcess(arguments, child.returncode, out, err)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

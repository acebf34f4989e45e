"""Ray's head process: started as our child, so that what it starts stays ours."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from serve_app.cli.life.ports import Ports

OBJECT_STORE_BYTES = 200_000_000
"""Requests and tokens go over HTTP and gRPC; the object store only carries Serve's own."""
_ADDRESS = "127.0.0.1"


class RayHead:
    """`ray start --head --block` with everything of it on loopback and in `folder`.

    Args:
        folder: short (Ray puts Unix sockets 60 characters below it), and ours alone.
        log: what the command itself prints; Ray's logs are in `folder`.
    """

    def __init__(self, folder: Path, ports: Ports, environment: dict[str, str], log: Path) -> None:
        self._folder = folder
        self._ports = ports.named
        self._environment = environment
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("wb") as log:
            # A session of its own: when Ray dies, its reaper kills its whole process group.
            self._child = subprocess.Popen(
                self._command(),
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """0 before the start."""
        return 0 if self._child is None else self._child.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._child is None else self._child.poll()

    def stop(self, limit_s: float) -> bool:
        """Ask it to end; True once it has. It ends its own children gracefully."""
        if self._child is None:
            return True
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1][-300:] if lines else ""

    def _command(self) -> list[str]:
        options = {
            "node-ip-address": _ADDRESS,
            "port": self._ports["gcs"],
            "dashboard-host": _ADDRESS,
            "dashboard-port": self._ports["dashboard"],
            "ray-client-server-port": self._ports["ray_client"],
            "dashboard-agent-listen-port": self._ports["agent"],
            "dashboard-agent-grpc-port": self._ports["agent_grpc"],
            "runtime-env-agent-port": self._ports["runtime_env"],
            "metrics-export-port": self._ports["metrics_export"],
            # 0: any. A fixed range would be shared with every other Ray of this machine.
            "min-worker-port": 0,
            "max-worker-port": 0,
            "temp-dir": self._folder,
            "object-store-memory": OBJECT_STORE_BYTES,
            "include-dashboard": "true",
            "include-log-monitor": "false",
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        ray = Path(sys.executable).with_name("ray")
        alone = ["--no-monitor", "--disable-usage-stats"]
        return [sys.executable, str(ray), "start", "--head", "--block", *flags, *alone]

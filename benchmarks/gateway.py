"""This gateway as a contender: started and ended by its own command line, in eight set-ups."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import yaml

from benchmarks.contenders import Contender
from benchmarks.launch import end_left_over, living
from benchmarks.places import GATEWAY_PORTS, HERE, REPOSITORY, chat_url
from benchmarks.ports import first_free, require_free

DOWN_LIMIT_S = 120.0
KEY = "sk-bench"
"""Where keys are asked for, its digest stands in the configuration."""
STATE_FILE = "state.json"
SETUPS = {
    # name: (config file, title, every request the same)
    "bare": ("bare.yaml", "serve-app bare", False),
    "default": ("default.yaml", "serve-app default", False),
    "cached": ("default.yaml", "serve-app cached", True),
    "guarded": ("guarded.yaml", "serve-app guarded", False),
    "full": ("full.yaml", "serve-app full", False),
    "unwatched": ("unwatched.yaml", "serve-app unwatched", False),
    "watched": ("watched.yaml", "serve-app watched", False),
    "deployed": ("deployed.yaml", "serve-app deployed", False),
}


class ServeApp:
    """`serve-app up` leaves a supervisor running, above every process of the gateway."""

    def __init__(self, config: Path, data: Path, port: int) -> None:
        self._config = config
        self._data = data
        self._port = port
        self._up: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def start(self, log: IO[bytes]) -> None:
        """A fresh data folder, so that no answer is there from an earlier run."""
        require_free(self._port)
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(parents=True)
        self._log = log
        self._up = self._command("up", "--config", str(self._config), "--port", str(self._port))

    def failed(self) -> bool:
        return self._up is not None and bool(self._up.poll())

    def roots(self) -> list[int]:
        pids = [self._up.pid] if self._up is not None and self._up.poll() is None else []
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
            pids.append(int(self._state()["supervisor"]["pid"]))
        return pids

    def stop(self) -> None:
        if self._up is None:
            return
        below = living(self.roots())
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._command("down").wait(DOWN_LIMIT_S)
        end_left_over(below)
        self._up.wait(DOWN_LIMIT_S)

    def _state(self) -> dict[str, Any]:
        return dict(json.loads((self._data / STATE_FILE).read_text()))

    def _command(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "serve_app", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "SERVE_APP_DATA_DIR": str(self._data)},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for the benchmark, which then ends it in order
        )


def setups(scratch: Path, replicas: int = 1) -> list[Contender]:
    """The set-ups of this gateway, each with so many replicas of its ingress."""
    port = first_free(GATEWAY_PORTS)
    return [_setup(name, scratch, replicas, port) for name in SETUPS]


def _setup(name: str, scratch: Path, replicas: int, port: int) -> Contender:
    file, title, cached = SETUPS[name]
    config = with_replicas(HERE / "gateway" / file, replicas, scratch / "gateway-configs")
    data = scratch / "gateway-data" / name
    return Contender(
        name,
        title,
        chat_url(port),
        lambda: ServeApp(config, data, port),
        headers={"Authorization": f"Bearer {KEY}"},
        cached=cached,
    )


def with_replicas(config: Path, replicas: int, folder: Path) -> Path:
    """The config as it is for one replica, else a copy in `folder` with so many."""
    if replicas == 1:
        return config
    content = yaml.safe_load(config.read_text())
    for application in content["applications"]:
        for deployment in application["deployments"]:
            if deployment["name"] == "Gateway":
                deployment["num_replicas"] = replicas
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{config.stem}-{replicas}.yaml"
    copy.write_text(yaml.safe_dump(content, sort_keys=False))
    return copy

"""The mock upstream: nginx with Lua, started, counted and ended here."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from benchmarks import needs
from benchmarks.places import HERE, MOCK_PORT, MOCK_URL
from benchmarks.ports import require_free

START_LIMIT_S = 10.0


class Counts(NamedTuple):
    """What the mock upstream has seen since its counters were last set to nothing."""

    requests: int
    streams: int
    streams_done: int
    chunks: int
    aborted: int


class Upstream:
    """`with Upstream(scratch) as upstream:` runs the mock for as long."""

    def __init__(self, scratch: Path) -> None:
        self._run = scratch / "mock"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Upstream:
        require_free(MOCK_PORT, MOCK_PORT + 1)
        self._run.mkdir(parents=True, exist_ok=True)
        config = self._run / "nginx.conf"
        config.write_text(_config(self._run))
        nginx = needs.program("nginx") or "nginx"
        argv = [nginx, "-c", str(config), "-p", str(self._run), "-e", str(self._run / "error.log")]
        # A session of its own: Ctrl-C is for the benchmark, which ends the mock last.
        self._process = subprocess.Popen(argv, start_new_session=True)
        try:
            self._wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_LIMIT_S)

    @property
    def pids(self) -> list[int]:
        assert self._process is not None
        return [self._process.pid]

    def counts(self, reset: bool = False) -> Counts:
        url = f"{MOCK_URL}/stats" + ("?reset=1" if reset else "")
        with urllib.request.urlopen(url, timeout=5) as answer:
            return Counts(**json.load(answer))

    def _wait_until_up(self) -> None:
        assert self._process is not None
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.counts(reset=True)
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(f"the mock upstream did not start: see {self._run / 'error.log'}")


def _config(run: Path) -> str:
    text = (HERE / "mock" / "nginx.conf.tmpl").read_text()
    values = {
        "@RUN@": str(run),
        "@HERE@": str(HERE / "mock"),
        "@PORT@": str(MOCK_PORT),
        "@PASS_PORT@": str(MOCK_PORT + 1),
    }
    for name, value in values.items():
        text = text.replace(name, value)
    return text

"""A real Prometheus of our own: on a free port, in a folder, for as long as it is needed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

_LISTENS = re.compile(r'msg="Listening on" address=(\S+)')
_START_LIMIT_S = 30.0
_QUERY_LIMIT_S = 30.0
_PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
}


class MissingProgram(RuntimeError):
    """A program of Prometheus is not installed."""


class QueryRefused(RuntimeError):
    """Prometheus did not accept a query."""


def program(name: str) -> str:
    """Path of a program of Prometheus.

    Raises:
        MissingProgram: says what to install.
    """
    if found := shutil.which(name):
        return found
    raise MissingProgram(
        f"{name!r} is not on the PATH: `apt-get install --no-install-recommends "
        f"{_PACKAGES[name]}`, or unpack a release of {_PACKAGES[name]}"
    )


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, address: str) -> None:
        self.url = f"http://{address}"

    def now(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """The series of an instant query: `metric` and `value` each.

        Args:
            at: Unix seconds; now otherwise.
        """
        when = {} if at is None else {"time": at}
        found: list[dict[str, Any]] = self.get("query", {"query": expr, **when})["result"]
        return found

    def over(self, expr: str, start: float, end: float, step_s: float) -> list[dict[str, Any]]:
        """The series of a range query: `metric` and `values` each."""
        times = {"start": start, "end": end, "step": step_s}
        found: list[dict[str, Any]] = self.get("query_range", {"query": expr, **times})["result"]
        return found

    def values(self, metric: str, label: str, start: float, end: float) -> list[str]:
        """The values that a label of a metric has in a time, in Unix seconds."""
        asked = {"match[]": metric, "start": start, "end": end}
        found: list[str] = self.get(f"label/{label}/values", asked)
        return found

    def get(self, what: str, asked: Mapping[str, object] | None = None) -> Any:
        """`data` of an answer of the HTTP interface.

        Raises:
            QueryRefused: with Prometheus' own words.
        """
        try:
            address = f"{self.url}/api/v1/{what}?{urlencode(asked or {})}"
            with urlopen(address, timeout=_QUERY_LIMIT_S) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            raise QueryRefused(f"{asked}: {error.read().decode()}") from None


@contextmanager
def running(config: Path, folder: Path) -> Iterator[Prometheus]:
    """A Prometheus with this configuration, which keeps its data and its log in `folder`."""
    log = folder / "prometheus.log"
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        "--web.console.templates=",
        "--web.console.libraries=",
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield _started(process, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(process: subprocess.Popen[bytes], log: Path) -> Prometheus:
    limit = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < limit and process.poll() is None:
        if (found := _LISTENS.search(log.read_text())) and _is_ready(found[1]):
            return Prometheus(found[1])
        time.sleep(0.02)
    raise RuntimeError(f"Prometheus did not start: {log.read_text()[-2000:]}")


def _is_ready(address: str) -> bool:
    try:
        with urlopen(f"http://{address}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except URLError:
        return False

"""A contender from its start to its end, as a `with` block."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.launch import Launcher

START_LIMIT_S = 180.0
POLL_S = 0.02


class NotReadyError(RuntimeError):
    """A contender never answered."""


@contextmanager
def running(contender: Contender, scratch: Path) -> Iterator[tuple[list[int], float]]:
    """Roots of its process trees, and seconds from the start to the first good answer.

    What it prints goes to `scratch`/NAME.log.

    Raises:
        NotReadyError: it ended or gave no good answer in time.
        PortTakenError: something else listens where it should.
    """
    log_path = scratch / f"{contender.name}.log"
    launcher = contender.launcher()
    with log_path.open("wb") as log:
        try:
            began = time.monotonic()
            launcher.start(log)
            _wait_until_ready(contender, launcher, log_path)
            yield launcher.roots(), round(time.monotonic() - began, 2)
        finally:
            launcher.stop()


def _wait_until_ready(contender: Contender, launcher: Launcher, log: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        if _answers(contender):
            return
        if launcher.failed():
            break
        time.sleep(POLL_S)
    raise NotReadyError(f"{contender.title} did not become ready: see {log}")


def _answers(contender: Contender) -> bool:
    """Whether a real request gets a real answer."""
    body = {"model": "mock", "messages": [{"role": "user", "content": "Are you there?"}]}
    headers = {"Content-Type": "application/json", **contender.headers}
    ask = urllib.request.Request(contender.url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(ask, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False

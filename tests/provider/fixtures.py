"""The scripted provider as a pytest fixture: own process, free port, gone after the session."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

SERVER = Path(__file__).with_name("server.py")


class ScriptedProvider:
    """Handle of a running provider. Its calls block for a moment; it is another process."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}/v1"

    def script(self, model: str, *steps: str) -> None:
        """Behaviours of the model's next requests; the last one stays."""
        self._ask("POST", "/_script", {"model": model, "steps": list(steps)})

    def log(self, model: str | None = None) -> list[dict[str, Any]]:
        """Requests seen, oldest first; see `log.Entry`."""
        entries: list[dict[str, Any]] = self._ask(
            "GET", "/_log?" + urlencode({"model": model} if model else {})
        )
        return entries

    def pauses(self, model: str) -> list[float]:
        """Seconds between the requests for a model, one after the other."""
        return [round(b["at"] - a["at"], 3) for a, b in pairwise(self.log(model))]

    def open(self) -> tuple[int, int]:
        """Connections that have carried a request, and requests, that have not ended."""
        found = self._ask("GET", "/_open")
        return found["connections"], found["requests"]

    def wait(self, model: str, event: str, count: int = 1, timeout_s: float = 10.0) -> bool:
        """True once `count` requests of the model were `seen`, `done` or `aborted`."""
        query = {"model": model, "event": event, "count": count, "timeout_s": timeout_s}
        return bool(self._ask("GET", "/_wait?" + urlencode(query))["happened"])

    def reset(self) -> None:
        self._ask("POST", "/_reset", {})

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            return json.loads(answer.read())
        finally:
            connection.close()


def start(port: int = 0) -> tuple[subprocess.Popen[str], ScriptedProvider]:
    """A provider of one's own, for tests that kill it; terminate the process yourself."""
    process = subprocess.Popen(
        [sys.executable, str(SERVER), "--port", str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.strip():
        raise RuntimeError(f"the scripted provider did not start: exit {process.wait()}")
    return process, ScriptedProvider(int(line))


def stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@pytest.fixture(scope="session")
def provider_process() -> Iterator[ScriptedProvider]:
    process, provider = start()
    try:
        yield provider
    finally:
        stop(process)


@pytest.fixture
def provider(provider_process: ScriptedProvider) -> ScriptedProvider:
    """The session's provider with no script and an empty log."""
    provider_process.reset()
    return provider_process

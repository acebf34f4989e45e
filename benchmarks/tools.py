"""The load tools as functions: each runs one to its end and hands back what it printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import needs
from benchmarks.places import HERE, REPOSITORY

GRACE_S = 60.0
"""A load tool may take so much longer than its stretch: slow answers are waited for."""


class ToolFailedError(RuntimeError):
    """A load tool ended without a result; the message holds the end of what it said."""


class Bodies:
    """Request bodies as files; made once, in a scratch folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def chat(self, model: str = "mock", *, stream: bool = False, unique: bool = True) -> Path:
        """A short chat request. `unique`: no two sent from this file are the same."""
        text = "Say hello in one short sentence, please." + (" @N@" if unique else "")
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}]}
        if stream:
            body["stream"] = True
        path = self._folder / f"{model}{'-stream' * stream}{'-unique' * unique}.json"
        path.write_text(json.dumps(body))
        return path


def wrk(
    url: str, headers: dict[str, str], body: Path, connections: int, seconds: float
) -> dict[str, float]:
    """Closed-loop requests over keep-alive connections, from one thread."""
    argv = [needs.program("wrk") or "wrk", "-t1", f"-c{connections}", f"-d{max(1, int(seconds))}s"]
    argv += ["--timeout", "20s", "-s", str(HERE / "load" / "post.lua"), url, "--", str(body)]
    argv += [f"{name}={value}" for name, value in headers.items()]
    for line in _output(argv, seconds).splitlines():
        if line.startswith("JSON "):
            return dict(json.loads(line[5:]))
    raise ToolFailedError("wrk printed no result")


def client(
    mode: str, url: str, headers: dict[str, str], body: Path, seconds: float, **options: float
) -> dict[str, Any]:
    """`probe`, `stream` or `once` of `benchmarks.load.client`."""
    argv = [sys.executable, "-m", "benchmarks.load.client", mode, url, str(body)]
    argv += ["--seconds", str(seconds)]
    for header, text in headers.items():
        argv += ["--header", f"{header}={text}"]
    for name, value in options.items():
        argv += [f"--{name.replace('_', '-')}", str(value)]
    return dict(json.loads(_output(argv, seconds)))


def _output(argv: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(
            argv,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds + GRACE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailedError(f"{argv[0]} did not end within {error.timeout:.0f} s") from error
    if done.returncode != 0:
        raise ToolFailedError(f"{argv[0]} failed: {(done.stderr or done.stdout)[-400:]}")
    return done.stdout

"""The embedded model's files: made once, in a process of their own that says how far it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from serve_app.cli.failure import Failure
from serve_app.cli.life.report import StepReport
from serve_app.models import embedded


class ModelFiles:
    """Makes the embedded model's folder.

    Args:
        data: the data folder.
        logs: for what the process says.
    """

    def __init__(self, data: Path, logs: Path) -> None:
        self._folder = embedded.location(data)
        self._said = logs / "model.json"
        self._errors = logs / "model.log"

    def prepare(self, step: StepReport, pause: Callable[[str], None]) -> None:
        """Until the folder is whole.

        Raises:
            Failure: it cannot be made; the message says why.
        """
        if embedded.is_ready(self._folder):
            return
        command = [sys.executable, "-m", "serve_app.models.embedded", "--folder", str(self._folder)]
        with self._said.open("wb") as said, self._errors.open("wb") as errors:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=errors)
        try:
            while child.poll() is None:
                step.says(*self._progress())
                pause("The embedded model")
        except BaseException:
            child.terminate()
            raise
        if child.returncode != 0:
            why = self._last().get("error") or f"exit code {child.returncode}"
            raise Failure(f"{why}; see {self._errors}")
        step.says("")

    def _progress(self) -> tuple[str, float | None]:
        last = self._last()
        done = last.get("done")
        return str(last.get("stage", "")), done if isinstance(done, float) else None

    def _last(self) -> dict[str, object]:
        """The last whole line that the process printed."""
        for line in reversed(self._said.read_bytes().splitlines()):
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict):
                return said
        return {}

"""The supervisor's report: what it waits for, written for `up`, `status` and the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serve_app.cli.failure import Failure
from serve_app.cli.life.records import Phase, Status, StepRecord, StepState, save_record

_log = logging.getLogger("serve_app.supervisor")


class Report:
    """Keeps the status file true.

    Args:
        path: of the status file.
        address: where the gateway will be.
    """

    def __init__(self, path: Path, address: str) -> None:
        self._path = path
        self._status = Status(address=address)
        self._save()

    def phase(self, phase: Phase) -> None:
        _log.info("%s", phase)
        self._status.phase = phase
        self._save()

    def notice(self, text: str) -> None:
        _log.warning("%s", text)
        self._status.notices.append(text)
        self._save()

    def failed(self, failure: Failure) -> None:
        _log.error("%s", failure.message)
        self._status.error = failure.message
        self._status.exit_code = failure.exit_code
        self._save()

    def reloaded(self, problem: str = "") -> None:
        _log.info("reload: %s", problem or "ok")
        self._status.reloads += 1
        self._status.reload_problem = problem
        self._save()

    @property
    def error(self) -> str:
        return self._status.error

    @contextmanager
    def step(self, name: str) -> Iterator[StepReport]:
        """One thing to wait for; done when the block ends, failed when it raises."""
        step = self.begin(name)
        try:
            yield step
        except BaseException:
            step.close("failed")
            raise
        step.close("done")

    def begin(self, name: str) -> StepReport:
        """Like `step`, for steps that do not nest: the caller closes it."""
        step = StepReport(self, StepRecord(name, time.time()))
        self._status.steps.append(step.record)
        self._save()
        return step

    def _save(self) -> None:
        save_record(self._path, self._status)

    def changed(self, step: StepRecord) -> None:
        _log.info("%s: %s %s", step.name, step.state, step.detail)
        self._save()


class StepReport:
    """A running step's pen."""

    def __init__(self, report: Report, record: StepRecord) -> None:
        self._report = report
        self.record = record

    def says(self, detail: str, share: float | None = None) -> None:
        """What it does, and how much of it is done (0 to 1) where that is known."""
        if (detail, share) != (self.record.detail, self.record.share):
            self.record.detail, self.record.share = detail, share
            self._report.changed(self.record)

    @property
    def is_open(self) -> bool:
        return self.record.state == "running"

    def close(self, state: StepState, detail: str | None = None) -> None:
        """The first state counts."""
        if self.is_open:
            self.record.state = state
            self.record.detail = self.record.detail if detail is None else detail
            self.record.seconds = round(time.time() - self.record.began, 2)
            self._report.changed(self.record)

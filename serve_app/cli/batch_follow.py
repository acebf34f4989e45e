"""Following a batch's job: its log's JSON lines turned into progress here, and its ending."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct, field

from serve_app.batch.failure import DONE, ENVIRONMENT, INTERRUPTED
from serve_app.batch.order import Show
from serve_app.batch.progress import State, Watcher, watcher
from serve_app.batch.summary import Summary
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.life.jobs_api import JobsApi, JobState
from serve_app.core.clock import SystemClock

_POLL_S: Final = 0.5
_WORDS_KEPT: Final = 5
"""Lines of a log that are no progress: the last ones say why it failed."""
_STOPPED: Final = "STOPPED"
_FAILED: Final = "FAILED"
_FIRST_OF_SIGNALS: Final = 128
"""A shell's exit code of a program that a signal ended is this and the signal's number."""


class _Line(Struct):
    """A line of the program's `--progress json`."""

    says: str | None = None
    failed: str | None = None
    """Why the program ends without a summary."""
    state: State | None = None
    summary: Summary | None = None


class Ending(Struct):
    """How the job ended."""

    exit_code: int
    words: list[str] = field(default_factory=list)
    summary: Summary | None = None
    is_lost: bool = False
    """It was neither the program nor somebody else that ended the job: Ray lost sight of it, or
    Ray's library ended the process while it was connecting (both seen under high load)."""

    def tell(self, *, as_json: bool) -> None:
        if self.summary is None:
            for word in self.words:
                print(word, file=sys.stderr)
        elif as_json:
            print(msgspec.json.encode(self.summary).decode())
        else:
            for line in self.summary.lines():
                print(line)


class Follower:
    """Watches one job to its end.

    Args:
        show: how progress is shown.
    """

    def __init__(self, jobs: JobsApi, job: str, show: Show) -> None:
        self._jobs = jobs
        self._job = job
        self._watcher: Watcher = watcher(show, SystemClock())
        self._read = 0
        self._words: list[str] = []
        self._failed: str | None = None
        self._summary: Summary | None = None
        self._decoder = msgspec.json.Decoder(_Line)

    def run(self) -> Ending:
        """Raises:
        Failure: there is no such job.
        """
        try:
            # The state first: what was written before it ended is then in the log.
            while not (state := self._state()).has_ended:
                self._show_new()
                time.sleep(_POLL_S)
            self._show_new(whole=True)
        finally:
            self._watcher.close()
        has_spoken = self._summary is not None or self._failed is not None
        is_lost = state.status == _FAILED and not has_spoken and not _was_killed(state)
        return Ending(_code(state), self._last_words(state), self._summary, is_lost)

    def _last_words(self, state: JobState) -> list[str]:
        """Why there is no summary."""
        if state.status == _STOPPED:
            return ["The batch was stopped; the command that began it goes on"]
        if _was_killed(state):
            return ["The batch was killed; the command that began it goes on"]
        return [self._failed] if self._failed else [*self._words, state.message]

    def _state(self) -> JobState:
        state = self._jobs.state(self._job)
        if state is None:
            raise Failure(f"There is no batch {self._job!r}", USAGE)
        return state

    def _show_new(self, *, whole: bool = False) -> None:
        for line in self._new_lines(whole=whole):
            try:
                said = self._decoder.decode(line)
            except msgspec.MsgspecError:
                self._words = [*self._words, line.decode(errors="replace")][-_WORDS_KEPT:]
            else:
                self._show(said)

    def _new_lines(self, *, whole: bool) -> Iterator[bytes]:
        """Lines that are complete, or with `whole` all that is left."""
        log = self._jobs.log(self._job).encode()
        end = len(log) if whole else log.rfind(b"\n") + 1
        new, self._read = log[self._read : end], max(self._read, end)
        yield from (line for line in new.splitlines() if line.strip())

    def _show(self, said: _Line) -> None:
        if said.says is not None:
            self._watcher.says(said.says)
        if said.failed is not None:
            self._failed = said.failed
        if said.state is not None:
            self._watcher.at(said.state)
        if said.summary is not None:
            self._summary = said.summary


def show_of(given: argparse.Namespace) -> Show:
    """How the command line wants progress shown here."""
    shown: Show = "quiet" if given.quiet else given.progress
    return shown


def _was_killed(state: JobState) -> bool:
    code = state.exit_code
    return code is not None and code != INTERRUPTED and (code < 0 or code > _FIRST_OF_SIGNALS)


def _code(state: JobState) -> int:
    """The program's own exit code, where it came to one."""
    if state.status == "SUCCEEDED":
        return DONE
    if state.status == _STOPPED:
        return INTERRUPTED
    return ENVIRONMENT if _was_killed(state) else state.exit_code or ENVIRONMENT

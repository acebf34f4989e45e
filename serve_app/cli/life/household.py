"""The supervisor's household: every process below it, written down and ended to the last one."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection
from pathlib import Path

from serve_app.cli.life import processes
from serve_app.cli.life.records import ProcessRecord, State, save_record

_log = logging.getLogger("serve_app.supervisor")


class Household:
    """Keeps the state file true.

    Args:
        path: of the state file.
        state: with everything but the processes.
    """

    def __init__(self, path: Path, state: State) -> None:
        self._path = path
        self.state = state
        self._looked_at = 0.0
        save_record(path, state)

    def look(self, own: set[int], *, every_s: float) -> None:
        """Reap what we adopted and write down who is there; at most every `every_s`."""
        now = time.monotonic()
        if now - self._looked_at < every_s:
            return
        self._looked_at = now
        processes.reap_adopted(own)
        here = self.members()
        if {p.pid for p in here} != {p.pid for p in self.state.processes}:
            self.state.processes = here
            save_record(self._path, self.state)

    def members(self) -> list[ProcessRecord]:
        return processes.descendants(os.getpid())

    def end_all(self, *, but: Collection[int], patience_s: float) -> None:
        """End every process below us except `but`, and what those start meanwhile."""
        for _ in range(5):
            left = [p for p in self.members() if p.pid not in but]
            if not left:
                return
            _log.info("ending %s", ", ".join(f"{p.name} {p.pid}" for p in left))
            processes.end(left, patience_s=patience_s)
            processes.reap_adopted(set(but))

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

"""The trail of one request: what each stage decided, why, and how long it took.

Stages write notes; the log line, the metrics and the response headers are made from them.
A note costs about a microsecond: a tuple in a list, formatted only when somebody reads it.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple


class Note(NamedTuple):
    stage: str
    decision: str
    at_ms: float
    facts: dict[str, Any]


class Trail:
    """Notes of one request, in order.

    `at_ms` of a note is milliseconds since the trail began, at the moment the stage was done.
    """

    __slots__ = ("_started", "notes", "request_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.notes: list[Note] = []
        self._started = time.perf_counter()

    def note(self, stage: str, decision: str, **facts: Any) -> None:
        self.notes.append(Note(stage, decision, self.elapsed_ms(), facts))

    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000.0

    def as_dicts(self) -> list[dict[str, Any]]:
        """The trail for people and JSON: one flat dictionary a note."""
        return [
            {"stage": n.stage, "decision": n.decision, "at_ms": round(n.at_ms, 3), **n.facts}
            for n in self.notes
        ]

"""The trail of one request: what each stage decided, why, and how long it took.

Stages write notes; the log line, the metrics and the response headers are made from them.
A note costs about a microsecond: a tuple in a list, formatted only when somebody reads it.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from serve_app.core.trace import Trace, new_id
from serve_app.core.types import Identity

__all__ = ["Note", "Trace", "Trail"]


class Note(NamedTuple):
    """What a stage decided. `took_ms` is 0 where nobody measured it: a remark, not a stage."""

    stage: str
    decision: str
    at_ms: float
    facts: dict[str, Any]
    took_ms: float = 0.0


class Trail:
    """Notes of one request, in order.

    `at_ms` of a note is milliseconds since the trail began, at the moment the stage was done.
    `began_at` is when the trail began, in Unix seconds. `trace` is the caller's, if it sent one.
    `span` is the request's own place in its trace; None while nobody traces. `link` is where the
    request stands that this work was taken in by, of work that is done later. `who` asks, once
    that is known.
    """

    __slots__ = ("_started", "began_at", "link", "notes", "request_id", "span", "trace", "who")

    def __init__(self, request_id: str, trace: Trace | None = None) -> None:
        self.request_id = request_id
        self.trace = trace
        self.span: Trace | None = None
        self.link: Trace | None = None
        self.who: Identity | None = None
        self.notes: list[Note] = []
        self.began_at = time.time()
        self._started = time.perf_counter()

    def note(self, stage: str, decision: str, since: float | None = None, **facts: Any) -> None:
        """
        Args:
            since: `elapsed_ms()` when the stage began.
        """
        at = self.elapsed_ms()
        took = 0.0 if since is None else at - since
        self.notes.append(Note(stage, decision, at, facts, took))

    @property
    def place(self) -> Trace | None:
        """Where this request stands; while nobody traces here, where its caller does."""
        return self.span or self.trace

    def child(self) -> Trace | None:
        """What a call that this request makes is told of its place: a new one below the request's
        own. While nobody traces here, the caller's."""
        span = self.span
        if span is None:
            return self.trace
        return Trace(span.trace_id, new_id(64), span.is_sampled, span.state)

    @property
    def trace_id(self) -> str:
        """Of the trace that this request is a part of; empty: of none that is known."""
        place = self.place
        return "" if place is None else place.trace_id

    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._started) * 1000.0

    def as_dicts(self) -> list[dict[str, Any]]:
        """The trail for people and JSON: one flat dictionary a note."""
        return [
            {"stage": n.stage, "decision": n.decision, "at_ms": round(n.at_ms, 3), **n.facts}
            for n in self.notes
        ]

"""The one place requests report to when they end; metrics and log lines are made from there.

Reporting costs the request an append to a list. A background task turns what has gathered
into counters and log lines, so neither is ever on the request path.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from serve_app.core.settlement import Settlement
from serve_app.core.trail import Trail
from serve_app.core.types import Identity, Usage

logger = logging.getLogger(__name__)


class Known(Protocol):
    """The facts of a reply."""

    identity: Identity
    backend: str
    model: str
    cache: str
    usage: Usage | None
    cost_micro_usd: int
    first_content_ms: float | None
    saved_micro_usd: int
    session_id: str


class RequestEnd(Struct, gc=False):
    """How one request ended."""

    trail: Trail
    route: str
    status: int
    duration_s: float
    tenant: str = ""
    user: str = ""
    backend: str = ""
    model: str = ""
    cache: str = "none"
    streamed: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micro_usd: int = 0
    first_content_s: float | None = None
    error: str = ""
    team: str = ""
    key_id: str = ""
    saved_micro_usd: int = 0
    session: str = ""

    def learn(self, known: Known) -> None:
        """Take over what is known of the reply, by its end."""
        self.tenant, self.user = known.identity.tenant, known.identity.user
        self.backend, self.model, self.cache = known.backend, known.model, known.cache
        self.team, self.key_id = known.identity.team, known.identity.key_id
        self.cost_micro_usd, self.saved_micro_usd = known.cost_micro_usd, known.saved_micro_usd
        self.session = known.session_id
        if known.usage is not None:
            self.prompt_tokens = known.usage.prompt_tokens
            self.completion_tokens = known.usage.completion_tokens
        if known.first_content_ms is not None and self.streamed:
            self.first_content_s = known.first_content_ms / 1000


class Sink(Protocol):
    """Somebody who wants to know what happened; called outside any request, and never waits."""

    def take(self, ends: list[RequestEnd], settled: list[Settlement]) -> None:
        """
        Args:
            ends: requests that ended.
            settled: what requests came to, also of those that run beside (a cache entry made anew,
                a summary); one may come before or after the end of its request.
        """


class Observer:
    """Collects ends of requests and settlements, and hands them to its sinks twice a second."""

    def __init__(self, sinks: list[Sink], *, interval_s: float = 0.5, limit: int = 20_000) -> None:
        self._sinks = sinks
        self._interval_s = interval_s
        self._limit = limit
        self._ends: list[RequestEnd] = []
        self._settled: list[Settlement] = []
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="observer")

    def ended(self, end: RequestEnd) -> None:
        if len(self._ends) >= self._limit:
            self.dropped += 1
            return
        self._ends.append(end)

    def settled(self, settled: Settlement) -> None:
        if len(self._settled) >= self._limit:
            self.dropped += 1
            return
        self._settled.append(settled)

    def flush(self) -> None:
        """Hand over what has gathered."""
        ends, self._ends = self._ends, []
        settled, self._settled = self._settled, []
        if not ends and not settled:
            return
        for sink in self._sinks:
            try:
                sink.take(ends, settled)
            except Exception:
                logger.exception("%s could not take %d ends", type(sink).__name__, len(ends))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            self.flush()


class RequestLog:
    """One JSON line a request, written a batch at a time.

    They go to the process's own standard output, not through `sys.stdout`, which Ray replaces
    with a logger that walks the stack for every write. Lines hold ids, the plan's way, times,
    tokens and cost; never a text of caller or model, nor a provider's complaint, which may
    quote one.
    """

    def __init__(self, write: Callable[[bytes], object] | None = None) -> None:
        self._write = write or _to_stdout

    def take(self, ends: list[RequestEnd], settled: list[Settlement]) -> None:
        if not ends:
            return
        lines = [msgspec.json.encode(_line(end)) for end in ends]
        self._write(b"\n".join(lines) + b"\n")


def _to_stdout(lines: bytes) -> None:
    out = sys.__stdout__
    if out is not None:
        out.buffer.write(lines)
        out.buffer.flush()


def _line(end: RequestEnd) -> dict[str, Any]:
    line: dict[str, Any] = {
        "event": "request",
        "request_id": end.trail.request_id,
        "route": end.route,
        "status": end.status,
        "ms": round(end.duration_s * 1000, 2),
        "tenant": end.tenant,
        "user": end.user,
        "backend": end.backend,
        "model": end.model,
        "cache": end.cache,
        "stream": end.streamed,
        "tokens": [end.prompt_tokens, end.completion_tokens],
        "cost_micro_usd": end.cost_micro_usd,
    }
    if end.error:
        line["error"] = end.error
    if end.first_content_s is not None:
        line["first_content_ms"] = round(end.first_content_s * 1000, 2)
    for note in end.trail.notes:
        if note.stage == "router":
            line["tier"], line["need"] = note.decision, round(note.facts["plan"].need, 2)
    attempts = [
        {"outcome": note.decision, **{k: v for k, v in note.facts.items() if k != "why"}}
        for note in end.trail.notes
        if note.stage == "attempt"
    ]
    if len(attempts) > 1 or end.error:
        line["attempts"] = attempts
    calls = [
        {"outcome": note.decision, "source": note.facts["source"], "ms": note.facts["ms"]}
        for note in end.trail.notes
        if note.stage == "tool"
    ]
    if calls:
        line["tools"] = calls
    return line

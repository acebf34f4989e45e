"""The log of requests: one JSON line for each when it is over, written a batch at a time.

Lines hold ids, the plan's way, times, tokens and cost; never a text of caller or model, nor a
provider's complaint, which may quote one.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from serve_app.config.log_policy import LogLevel, LogPolicy
from serve_app.core.settlement import Settlement
from serve_app.core.shown import COMPLAINTS, shown
from serve_app.core.trail import Note
from serve_app.observe.observer import RequestEnd

_encode: Final = msgspec.json.Encoder().encode


class Line(Struct, omit_defaults=True):
    """What is written of a request. What it had nothing of is left out."""

    event: str
    time: datetime
    """When it was over."""
    level: str
    request_id: str
    route: str
    status: int
    ms: float
    tenant: str
    user: str
    backend: str
    model: str
    cache: str
    stream: bool
    tokens: tuple[int, int]
    """Of the prompt, of the answer."""
    cost_micro_usd: int
    trace_id: str = ""
    team: str = ""
    key_id: str = ""
    saved_micro_usd: int = 0
    error: str = ""
    first_content_ms: float = 0.0
    tier: str = ""
    need: float | None = None
    plan: list[str] = []
    """Those that were to be asked, in order, as `backend/model`."""
    stages: dict[str, float] = {}
    """Milliseconds by stage; of one that was passed several times, their sum."""
    attempts: list[dict[str, Any]] = []
    """Calls of backends, where there were several, or the request failed."""
    tools: list[dict[str, Any]] = []
    session: str = ""
    notes: list[dict[str, Any]] = []
    """All of the trail, at level `debug`."""


class RequestLog:
    """Writes the lines. A sink (see `observe/observer.py`).

    They go to the process's own standard output, not through `sys.stdout`, which Ray replaces
    with a logger that walks the stack for every write.

    Args:
        write: takes whole lines; None: standard output.
        rng: decides which good requests get a line.
    """

    def __init__(
        self,
        policy: LogPolicy,
        write: Callable[[bytes], object] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._write = write or _to_stdout
        self._random = (rng or random.Random()).random  # noqa: S311
        self.reconfigure(policy)

    def reconfigure(self, policy: LogPolicy) -> None:
        """Use another policy from the next line on."""
        self._policy = policy

    def take(self, ends: list[RequestEnd], settled: list[Settlement]) -> None:
        """Write the lines of those that get one."""
        lines = []
        for end in ends:
            level = self._level(end)
            if level is not None:
                lines.append(_encode(_line(end, level)))
        if lines:
            lines.append(b"")
            self._write(b"\n".join(lines))

    def _level(self, end: RequestEnd) -> LogLevel | None:
        """At which level a request is told of; None: at none."""
        policy = self._policy
        level = policy.tenants.get(end.tenant, policy.level) if policy.tenants else policy.level
        if level == "debug":
            return level
        if end.error or end.status >= 400:
            return "error"
        if level == "error":
            return None
        if policy.sample >= 1 or end.duration_s >= policy.slow_s:
            return "info"
        return "info" if self._random() < policy.sample else None


def _to_stdout(lines: bytes) -> None:
    out = sys.__stdout__
    if out is not None:
        out.buffer.write(lines)
        out.buffer.flush()


def _line(end: RequestEnd, level: LogLevel) -> Line:
    trail = end.trail
    line = Line(
        "request",
        datetime.fromtimestamp(trail.began_at + end.duration_s, UTC),
        level,
        trail.request_id,
        end.route,
        end.status,
        _hundredths(end.duration_s * 1000),
        end.tenant,
        end.user,
        end.backend,
        end.model,
        end.cache,
        end.streamed,
        (end.prompt_tokens, end.completion_tokens),
        end.cost_micro_usd,
        trace_id=trail.trace_id,
        team=end.team,
        key_id=end.key_id,
        saved_micro_usd=end.saved_micro_usd,
        error=end.error,
    )
    if end.first_content_s is not None:
        line.first_content_ms = _hundredths(end.first_content_s * 1000)
    _tell_stages(line, trail.notes)
    if level == "debug":
        line.session = end.session
        line.notes = [shown(note, COMPLAINTS) for note in trail.notes]
    return line


def _hundredths(value: float) -> float:
    """Rounded to two digits. `round` goes by way of the decimal digits, at six times the price."""
    return int(value * 100 + 0.5) / 100


def _tell_stages(line: Line, notes: list[Note]) -> None:
    """Fill in what the notes of a trail say."""
    stages: dict[str, float] = {}
    attempts: list[Note] = []
    for note in notes:
        stage, decision, _, facts, took_ms = note
        if took_ms:
            stages[stage] = stages.get(stage, 0.0) + took_ms
        if stage == "attempt":
            attempts.append(note)
        elif stage == "router":
            plan = facts["plan"]
            line.tier, line.need = decision, _hundredths(plan.need)
            line.plan = [f"{one.backend}/{one.model}" for one in plan.candidates]
        elif stage == "tool":
            line.tools = [*line.tools, _tool(note)]
    for stage, ms in stages.items():
        stages[stage] = _hundredths(ms)
    line.stages = stages
    if len(attempts) > 1 or line.error:
        line.attempts = [_attempt(note) for note in attempts]


def _attempt(note: Note) -> dict[str, Any]:
    facts = {name: value for name, value in note.facts.items() if name not in COMPLAINTS}
    facts["ms"] = _hundredths(facts["ms"])
    return {"outcome": note.decision, **facts}


def _tool(note: Note) -> dict[str, Any]:
    return {"outcome": note.decision, "source": note.facts["source"], "ms": note.facts["ms"]}

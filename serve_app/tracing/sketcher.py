"""What a request's trail looks like as spans.

server span of the request            (a consumer's, where the work was taken in before)
  |- admission, input_filter, cache, router, ...    a stage that was timed
  |- chat MODEL                        each call of a backend, from sending to its end
  `- execute_tool NAME                 each call of a tool
What was only remarked (a finding, a candidate that was skipped) is an event of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from serve_app.core.plan import Plan
from serve_app.core.trail import Note
from serve_app.observe.observer import RequestEnd
from serve_app.tracing import names
from serve_app.tracing.calls import Calls
from serve_app.tracing.sketch import Kind, Mark, Sketch, Value, plain

_COMPLAINTS: Final = frozenset({"why"})
"""Facts that may quote a text: what providers say about failed calls."""
_NOTHING: Final[frozenset[str]] = frozenset()
_NONE: Final = frozenset({"", 0, "none"})
_PASSING: Final = frozenset({"skipped", "hedged"})
"""Outcomes that are no call of their own, or not its end."""


class Sketcher:
    """Draws the spans of requests.

    Args:
        providers: by backend, its provider as OpenTelemetry calls it.
    """

    def __init__(self, providers: Mapping[str, str], *, content: bool = False) -> None:
        self._providers = providers
        self._hidden = _NOTHING if content else _COMPLAINTS

    def drawn(self, end: RequestEnd) -> list[Sketch]:
        """The spans of a request; its own is the first."""
        notes = list(end.trail.notes)
        calls = Calls(end, self._providers, self._hidden)
        root = self._root(end)
        children: list[Sketch] = []
        for note in notes:
            if note.stage == "attempt" and note.decision not in _PASSING:
                calls.attempt(note)
            elif note.stage == "answer":
                calls.answer(note)
            elif note.stage == "tool":
                children.append(_tool(note))
            elif note.took_ms > 0 and note.stage != "attempt":
                children.append(self._stage(note))
            else:
                root.marks.append(self._mark(note))
        children += calls.finished()
        root.ended_ms = max([root.ended_ms, *(child.ended_ms for child in children)])
        return [root, *children]

    def _root(self, end: RequestEnd) -> Sketch:
        kind: Kind = "server" if end.trail.link is None else "consumer"
        facts: dict[str, Value] = {names.ROUTE: end.route, names.STATUS: end.status}
        told: dict[str, Value] = {
            "request_id": end.trail.request_id, "tenant": end.tenant, "team": end.team,
            "key_id": end.key_id, "cache": end.cache, "backend": end.backend, "model": end.model,
            "cost_micro_usd": end.cost_micro_usd, "saved_micro_usd": end.saved_micro_usd,
        }  # fmt: skip
        facts |= {names.OURS + name: value for name, value in told.items() if value not in _NONE}
        if end.session:
            facts[names.CONVERSATION] = end.session
        if end.error:
            facts[names.ERROR] = end.error
        elif end.status >= 500:
            facts[names.ERROR] = str(end.status)
        error = (end.error or f"HTTP {end.status}") if end.is_failure else ""
        ended_ms = end.duration_s * 1000
        return Sketch(
            end.route, kind, 0.0, ended_ms, facts, _span_id(end), error, link=end.trail.link
        )

    def _stage(self, note: Note) -> Sketch:
        facts: dict[str, Value] = {f"{names.OURS}decision": note.decision}
        facts |= plain(note.facts, f"{names.OURS}{note.stage}.", self._hidden)
        plan = note.facts.get("plan")
        if isinstance(plan, Plan):
            facts |= _plan(plan)
        return Sketch(note.stage, "internal", note.at_ms - note.took_ms, note.at_ms, facts)

    def _mark(self, note: Note) -> Mark:
        facts = plain(note.facts, names.OURS, self._hidden)
        return Mark(f"{note.stage} {note.decision}", note.at_ms, facts)


def _span_id(end: RequestEnd) -> str:
    return "" if end.trail.span is None else end.trail.span.span_id


def _tool(note: Note) -> Sketch:
    ms, name = float(note.facts.get("ms", 0.0)), str(note.facts.get("tool", ""))
    facts: dict[str, Value] = {names.OPERATION: names.EXECUTE_TOOL, names.TOOL: name}
    facts |= plain(note.facts, f"{names.OURS}tool.", frozenset({"tool", "ms"}))
    failed = "" if note.decision == "ok" else note.decision
    if failed:
        facts[names.ERROR] = failed
    title = f"{names.EXECUTE_TOOL} {name}"
    return Sketch(title, "internal", note.at_ms - ms, note.at_ms, facts, error=failed)


def _plan(plan: Plan) -> dict[str, Value]:
    """The order of the candidates; all of it is in the trail."""
    ours = f"{names.OURS}router."
    return {
        f"{ours}candidates": [f"{c.backend}/{c.model}" for c in plan.candidates],
        f"{ours}strategy": plan.strategy,
        f"{ours}need": round(plan.need, 3),
    }

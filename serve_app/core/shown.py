"""A trail as plain data, for whoever shows it: JSON routes, the log, the terminal."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from serve_app.core.trail import Note

COMPLAINTS = frozenset({"why"})
"""Facts that may quote a text of caller or model: what providers say about failed calls."""


def shown(note: Note, leave_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A note: its stage, what was decided, when and for how long, and the facts, a router's whole
    plan among them."""
    facts = {name: _plain(value) for name, value in note.facts.items() if name not in leave_out}
    return {
        "stage": note.stage,
        "decision": note.decision,
        "began_ms": round(note.at_ms - note.took_ms, 3),
        "took_ms": round(note.took_ms, 3),
        "facts": facts,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if value is None or isinstance(value, str | int):
        return value
    return to_builtins(value, str_keys=True)

"""Spans of a request before OpenTelemetry knows them: made from its trail when it is over."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from serve_app.core.trace import Trace

Kind = Literal["server", "client", "internal", "consumer"]
Value = str | bool | int | float | list[str]


class Mark(Struct):
    """Something that happened at one moment of a span."""

    name: str
    at_ms: float
    facts: dict[str, Value]


class Sketch(Struct):
    """One span. Times are milliseconds since its request's trail began."""

    name: str
    kind: Kind
    began_ms: float
    ended_ms: float
    facts: dict[str, Value]
    span_id: str = ""
    """16 hexadecimal digits; empty: nobody was told of it, any will do."""
    error: str = ""
    """What went wrong; empty: nothing."""
    marks: list[Mark] = field(default_factory=list)
    link: Trace | None = None


def plain(facts: dict[str, Any], prefix: str, leave_out: frozenset[str]) -> dict[str, Value]:
    """Those facts of a note that a span's attributes can hold."""
    return {
        f"{prefix}{name}": value
        for name, value in facts.items()
        if name not in leave_out and isinstance(value, str | bool | int | float)
    }

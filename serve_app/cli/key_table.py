"""API keys as a terminal shows them: one in full, or many as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table


def table_of(keys: Iterable[Mapping[str, Any]], now: float) -> Table:
    """A line for each."""
    columns = ("id", "tenant", "user", "team", "state", "expires", "models", "note")
    table = Table(*columns, box=None, pad_edge=False)
    for key in keys:
        table.add_row(
            str(key["id"]),
            _plain(key["tenant"]),
            _plain(key["user"]),
            _plain(key["team"]),
            state(key, now),
            _time(_end(key)),
            _plain(", ".join(key["models"]) or "all"),
            _plain(key["note"]),
        )
    return table


def lines_of(key: Mapping[str, Any], now: float) -> Table:
    """All that is known of one."""
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = {
        "id": key["id"],
        "state": state(key, now),
        "tenant": key["tenant"],
        "user": key["user"] or "(the key itself)",
        "team": key["team"],
        "models": ", ".join(key["models"]) or "all",
        "paths": ", ".join(key["paths"]) or "all",
        "limits": ", ".join(_limits(key["limits"])),
        "priority": key["priority"],
        "created": _time(key["created_at"]),
        "expires": _time(key["expires_at"]),
        "note": key["note"],
        "in place of": key["replaces"],
        "replaced by": key["replaced_by"],
        "until": _time(key["retires_at"]) if key["retires_at"] else "",
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, _plain(value))
    return table


def state(key: Mapping[str, Any], now: float) -> str:
    """In one word; what the gateway does with it."""
    if key["disabled"]:
        return "disabled"
    if key["retires_at"]:
        return "replaced" if now >= key["retires_at"] else "retiring"
    if key["expires_at"] and now >= key["expires_at"]:
        return "expired"
    return "good"


def _end(key: Mapping[str, Any]) -> int:
    """When it ends, 0 if it does not."""
    return min((end for end in (key["expires_at"], key["retires_at"]) if end), default=0)


def _time(unix: int) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M}" if unix else "never"


def _limits(limits: Mapping[str, Any], outer: str = "") -> list[str]:
    found = []
    for name, value in limits.items():
        if isinstance(value, Mapping):
            found += _limits(value, f"{name}.")
        else:
            found.append(f"{outer}{name}={value}")
    return found


def _plain(value: object) -> str:
    """A text from elsewhere as one harmless line of a terminal."""
    printable = "".join(char if char.isprintable() else " " for char in str(value))
    return escape(printable)

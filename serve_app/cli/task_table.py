"""Tasks as a terminal shows them: one in full, or many as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

_COLOURS = {
    "succeeded": "green", "running": "cyan", "failed": "red", "dead": "red", "delayed": "yellow",
    "cancelled": "dim",
}  # fmt: skip


def table_of(tasks: Iterable[Mapping[str, Any]], now: float) -> Table:
    """A line for each."""
    columns = ("id", "kind", "tenant", "state", "priority", "tries", "age", "took", "error")
    table = Table(*columns, box=None, pad_edge=False)
    for task in tasks:
        table.add_row(
            str(task["id"]),
            _plain(task["kind"]),
            _plain(task["tenant"]),
            _state(task),
            str(task["priority"]),
            f"{task['attempts']}/{task['max_retries'] + 1}",
            span(now - task["created_at"]),
            _took(task),
            _plain((task["error"] or {}).get("code", "")),
        )
    return table


def lines_of(task: Mapping[str, Any]) -> Table:
    """All that is known of one."""
    table = Table(box=None, show_header=False, pad_edge=False)
    error = task["error"]
    rows = {
        "id": task["id"],
        "kind": task["kind"],
        "label": task["label"],
        "state": task["state"],
        "tenant": task["tenant"],
        "user": task["user"],
        "key": task["key_id"],
        "priority": task["priority"],
        "tries": f"{task['attempts']} of at most {task['max_retries'] + 1}",
        "limit of a try": span(task["soft_limit_s"]),
        "created": _time(task["created_at"]),
        "started": _time(task["started_at"]),
        "ended": _time(task["ended_at"]),
        "took": _took(task),
        "not before": _time(task["not_before"]),
        "kept until": _time(task["expires_at"]),
        "error": f"{error['code']}: {error['message']}" if error else "",
        "progress": f"{task['progress']} events" if task["progress"] else "",
        "result": f"{task['result_bytes']} bytes" if task["result_bytes"] else "",
        "webhook": task["webhook"],
        "worker": task["worker"],
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, _plain(value))
    return table


def span(seconds: float) -> str:
    """A time in its one or two largest units, such as `1h 5m`."""
    left = max(0, round(seconds))
    if left < 1:
        return f"{max(0.0, seconds):.1f}s"
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2])


def _state(task: Mapping[str, Any]) -> str:
    state = str(task["state"])
    colour = _COLOURS.get(state)
    return f"[{colour}]{state}[/]" if colour else _plain(state)


def _took(task: Mapping[str, Any]) -> str:
    """Its last try, from start to end."""
    if not task["started_at"] or not task["ended_at"]:
        return ""
    return span(task["ended_at"] - task["started_at"])


def _time(unix: float | None) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S}" if unix else ""


def _plain(value: object) -> str:
    """A text from elsewhere as one harmless line of a terminal."""
    printable = "".join(char if char.isprintable() else " " for char in str(value))
    return escape(printable)

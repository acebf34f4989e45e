"""A trail as a terminal shows it: its facts, a waterfall of its stages, and the router's plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

_BAR: Final = 24
"""Characters of the longest bar."""
_LEAST_WIDTH: Final = 60
"""Of the column of facts, where the terminal is not wide enough for the bars as well."""
_LEAST_MODEL: Final = 24
"""Of the column of models."""
_RED: Final = frozenset(
    {"refused", "blocked", "failed", "transient", "candidate", "caller", "content", "interrupted",
     "away", "error", "timeout"}
)  # fmt: skip
_YELLOW: Final = frozenset(
    {"changed", "skipped", "hedged", "hedge_lost", "cancelled", "left", "recovered", "later"}
)
_KNOWN: Final = frozenset({"ms", "span", "plan"})
"""Facts that are shown in another way."""


def head_of(trail: Mapping[str, Any]) -> Table:
    """What came of the request."""
    table = Table(box=None, show_header=False, pad_edge=False)
    tokens = f"{trail['prompt_tokens']} in, {trail['completion_tokens']} out"
    rows = {
        "request": trail["request_id"],
        "trace": trail["trace_id"],
        "began": _time(trail["began_at"]),
        "took": f"{trail['ms']:.1f} ms",
        "first content": _ms(trail["first_content_ms"]),
        "route": f"{trail['route']}{' (streamed)' if trail['streamed'] else ''}",
        "outcome": _outcome(trail),
        "caller": _caller(trail),
        "answered by": _answerer(trail),
        "cache": "" if trail["cache"] == "none" else trail["cache"],
        "tokens": tokens if trail["prompt_tokens"] or trail["completion_tokens"] else "",
        "cost": _money(trail["cost_micro_usd"]),
        "saved": _money(trail["saved_micro_usd"]),
    }
    for name, value in rows.items():
        if value:
            table.add_row(f"[dim]{name}[/]", plain(value))
    return table


def waterfall(trail: Mapping[str, Any], width: int) -> Table:
    """A line for each note, with a bar from when its stage began to when it was done.

    Args:
        width: characters of the terminal.
    """
    notes, has_bars = trail["notes"], width >= _BAR + _LEAST_WIDTH
    whole_ms = max(
        [trail["ms"], *(note["began_ms"] + note["took_ms"] for note in notes)], default=0
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    table.add_column("decided", no_wrap=True)
    table.add_column("at ms", justify="right", no_wrap=True)
    table.add_column("took ms", justify="right", no_wrap=True)
    if has_bars:
        table.add_column("", no_wrap=True, min_width=_BAR)
    table.add_column("why", overflow="fold")
    for note in notes:
        took = f"{note['took_ms']:.2f}" if note["took_ms"] else ""
        bar = [_bar(note, whole_ms)] if has_bars else []
        table.add_row(
            plain(note["stage"]), _decision(note["decision"]), f"{note['began_ms']:.2f}", took,
            *bar, _facts(note["facts"]),
        )  # fmt: skip
    if trail["notes_left_out"]:
        table.add_row("[dim]...[/]", f"[dim]{trail['notes_left_out']} more were left out[/]")
    return table


def plan_of(plan: Mapping[str, Any]) -> Table:
    """Whom the router would have asked, in order, and whom not."""
    table = Table(box=None, pad_edge=False, title=_title(plan), title_justify="left")
    table.add_column("")
    table.add_column("model", overflow="fold", min_width=_LEAST_MODEL)
    table.add_column("cost", no_wrap=True)
    table.add_column("first token", no_wrap=True)
    table.add_column("why", overflow="fold")
    for number, one in enumerate(plan["candidates"], 1):
        seconds = one.get("first_token_s")
        table.add_row(
            str(number),
            plain(f"{one['backend']}/{one['model']}"),
            _money(one.get("cost_micro_usd") or 0),
            "" if seconds is None else f"{seconds:.2f} s",
            plain(one["reason"]),
        )
    for one in plan["excluded"]:
        name, reason = plain(f"{one['backend']}/{one['model']}"), plain(one["reason"])
        table.add_row("[red]x[/]", f"[dim]{name}[/]", "", "", f"[dim]{reason}[/]")
    return table


def plain(value: object) -> str:
    """A text from elsewhere as one harmless line of a terminal."""
    printable = "".join(char if char.isprintable() else " " for char in str(value))
    return escape(printable)


def _title(plan: Mapping[str, Any]) -> str:
    said = [f"need {plan['need']:.2f}"]
    said += [f"{n} {plain(plan[n])}" for n in ("tier", "strategy", "arm") if plan.get(n)]
    problem = plan.get("problem")
    return "Plan: " + ", ".join(said) + (f"; refused: {plain(problem['code'])}" if problem else "")


def _bar(note: Mapping[str, Any], whole_ms: float) -> str:
    if not whole_ms:
        return ""
    start = min(_BAR - 1, int(note["began_ms"] / whole_ms * _BAR))
    if not note["took_ms"]:
        return " " * start + "[dim]·[/]"
    length = max(1, min(_BAR - start, int(note["took_ms"] / whole_ms * _BAR + 0.5)))
    return " " * start + f"[{_colour(note['decision']) or 'cyan'}]" + "█" * length + "[/]"


def _decision(decision: str) -> str:
    colour = _colour(decision)
    return f"[{colour}]{plain(decision)}[/]" if colour else plain(decision)


def _colour(decision: str) -> str:
    return "red" if decision in _RED else "yellow" if decision in _YELLOW else ""


def _facts(facts: Mapping[str, Any]) -> str:
    """All that a stage said besides, shortly."""
    said = [
        f"[dim]{plain(name)}[/] {plain(value)}"
        for name, value in facts.items()
        if name not in _KNOWN and value not in ("", None, 0, [], {})
    ]
    return "  ".join(said)


def _outcome(trail: Mapping[str, Any]) -> str:
    return f"{trail['status']} {trail['error']}".strip()


def _caller(trail: Mapping[str, Any]) -> str:
    parts = [trail["tenant"], trail["team"], trail["user"], trail["key_id"]]
    return " / ".join(part for part in parts if part)


def _answerer(trail: Mapping[str, Any]) -> str:
    return f"{trail['backend']}/{trail['model']}" if trail["model"] else ""


def _money(micro_usd: int) -> str:
    return f"${micro_usd / 1_000_000:.6f}" if micro_usd else ""


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms"


def _time(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S.%f} UTC"

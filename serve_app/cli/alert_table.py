"""Alerts, silences and rules as a terminal shows them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from serve_app.cli.task_table import span

_COLOURS = {"critical": "red", "warning": "yellow", "info": "cyan"}


def alerts_of(alerts: Iterable[Mapping[str, Any]]) -> Table:
    """A line for each that fires or is about to."""
    table = Table(
        "alert", "severity", "state", "for", "what", "what to do", box=None, pad_edge=False
    )
    for alert in alerts:
        state = "silenced" if alert["silenced"] else alert["state"]
        table.add_row(
            plain(alert["alert"]),
            _severity(alert["severity"]),
            state,
            span(time.time() - alert["since"]),
            plain(alert["summary"]),
            plain(alert["runbook"]),
        )
    return table


def events_of(events: Iterable[Mapping[str, Any]]) -> Table:
    """What happened lately."""
    table = Table("when", "alert", "severity", "what", "labels", box=None, pad_edge=False)
    for event in events:
        table.add_row(
            _ago(event["at"]),
            plain(event["alert"]),
            _severity(event["severity"]),
            str(event["what"]),
            plain(_labels(event["labels"])),
        )
    return table


def channels_of(channels: Iterable[Mapping[str, Any]]) -> Table:
    """Who is told, and whether that works."""
    table = Table("channel", "kind", "takes", "waiting", "problem", box=None, pad_edge=False)
    for channel in channels:
        table.add_row(
            plain(channel["name"]),
            str(channel["kind"]),
            ", ".join(channel["severities"]),
            str(channel["waiting"]),
            plain(channel["problem"]),
        )
    return table


def rules_of(rules: Iterable[Mapping[str, Any]]) -> Table:
    table = Table("rule", "severity", "for", "expression", "problem", box=None, pad_edge=False)
    for rule in rules:
        table.add_row(
            plain(rule["name"]),
            _severity(rule["severity"]),
            span(rule["for_s"]),
            plain(rule["expr"]),
            plain(rule["problem"]),
        )
    return table


def silences_of(silences: Iterable[Mapping[str, Any]]) -> Table:
    table = Table("id", "of", "ends", "by", "reason", box=None, pad_edge=False)
    for silence in silences:
        left_s = silence["until"] - time.time()
        matchers = [f"{one['label']}{one['op']}{one['value']}" for one in silence["matchers"]]
        table.add_row(
            plain(silence["id"]),
            plain(", ".join(matchers)),
            f"in {span(left_s)}" if left_s > 0 else "over",
            plain(silence["author"]),
            plain(silence["reason"]),
        )
    return table


def plain(text: object) -> str:
    """A text from outside as one harmless line of a terminal."""
    printable = "".join(char if char.isprintable() else " " for char in str(text))
    return escape(printable)


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _severity(severity: str) -> str:
    colour = _COLOURS.get(severity, "default")
    return f"[{colour}]{plain(severity)}[/{colour}]"


def _ago(at: float) -> str:
    return f"{span(time.time() - at)} ago"

"""What is known of alerts: which hold, who was told what, and what is still to be sent.

All of it is one value, so that a replica that takes over neither repeats nor forgets.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec
from msgspec import Struct

from serve_app.alerts.base import Labels

Standing = Literal["pending", "firing", "resolved"]
What = Literal["fired", "resolved"]
MAX_ALERTS: Final = 500
MAX_EVENTS: Final = 100


class Alert(Struct):
    """One series that a rule came to."""

    rule: str
    severity: str
    labels: dict[str, str]
    state: Standing
    since: float
    """Unix seconds; so are all times here."""
    value: float | None
    """The last one while it held; None: infinite, or no number."""
    seen_at: float
    """When it held last."""
    fired_at: float = 0.0
    ended_at: float = 0.0


class Item(Struct):
    """An alert as a message has it."""

    alert: str
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    value: str
    """As people read it."""
    summary: str
    since: float
    ended_at: float = 0.0


class Notice(Struct):
    """One message to one channel."""

    id: str
    alert: str
    """The rule."""
    severity: str
    status: Literal["firing", "resolved"]
    group: dict[str, str]
    at: float
    runbook: str
    language: str
    service: str
    items: list[Item]


class Waiting(Struct):
    """A message that is to be sent."""

    notice: Notice
    tries: int = 0
    next_at: float = 0.0
    taken_by: str = ""
    taken_at: float = 0.0
    """When a try began whose end is not known yet; 0: none did."""


class Told(Struct):
    """What a channel was told of a group."""

    firing: list[str]
    """Alerts it believes to hold, by their names in `State.alerts`."""
    at: float
    """Of the last message."""


class Event(Struct):
    """Something that happened, for the history."""

    number: int
    at: float
    what: What
    alert: str
    severity: str
    labels: dict[str, str]
    value: float | None


class State(Struct):
    alerts: dict[str, Alert] = {}
    told: dict[str, dict[str, Told]] = {}
    """By channel, then by group."""
    outbox: dict[str, list[Waiting]] = {}
    """By channel, oldest first."""
    events: int = 0
    """How many there were ever."""
    problems: dict[str, str] = {}
    """Rules that cannot be evaluated, and why."""
    troubles: dict[str, str] = {}
    """Channels that did not take the last message, and why."""

    def firing(self) -> list[Alert]:
        return [alert for alert in self.alerts.values() if alert.state == "firing"]


def name_of(rule: str, labels: Labels) -> str:
    """Names an alert: the same for the same rule and labels, everywhere and always."""
    return hashlib.sha256(msgspec.json.encode([rule, labels])).hexdigest()[:16]

"""From pending to firing to resolved: what rules came to in, the state changed, events out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from serve_app.alerts.base import Labels
from serve_app.alerts.rules import Rule
from serve_app.alerts.state import MAX_ALERTS, Alert, Event, State, What, name_of

Found = Mapping[str, Mapping[Labels, float]]
"""By rule, what it came to. A rule that could not be evaluated is not among them."""


def advance(state: State, rules: Sequence[Rule], found: Found, now: float) -> list[Event]:
    """Bring a state to what the rules came to.

    Args:
        now: Unix seconds.
    """
    by_name = {rule.name: rule for rule in rules}
    events: list[Event] = []
    for name, series in found.items():
        rule = by_name[name]
        for labels, value in series.items():
            alert = _held(state, rule, labels, value, now)
            if alert is not None and _has_begun(alert, rule, now):
                events.append(_event(state, "fired", alert, now))
    for key, alert in list(state.alerts.items()):
        if _is_over(alert, by_name.get(alert.rule), found, now):
            if alert.state == "pending":
                del state.alerts[key]
            else:
                alert.state, alert.ended_at = "resolved", now
                events.append(_event(state, "resolved", alert, now))
    return events


def forget(state: State) -> None:
    """Let go of alerts that are over and of which everybody knows."""
    told = {key for groups in state.told.values() for one in groups.values() for key in one.firing}
    gone = [k for k, alert in state.alerts.items() if alert.state == "resolved" and k not in told]
    for key in gone:
        del state.alerts[key]


def _held(state: State, rule: Rule, labels: Labels, found: float, now: float) -> Alert | None:
    """The alert of a series that holds; None: there are too many."""
    key, value = name_of(rule.name, labels), found if math.isfinite(found) else None
    alert = state.alerts.get(key)
    if alert is None or alert.state == "resolved":
        if alert is None and len(state.alerts) >= MAX_ALERTS:
            return None
        severity = rule.says.severity
        ended_at = 0.0 if alert is None else alert.ended_at
        alert = Alert(
            rule.name, severity, dict(labels), "pending", now, value, now, ended_at=ended_at
        )
        state.alerts[key] = alert
    alert.value, alert.seen_at, alert.severity = value, now, rule.says.severity
    return alert


def _has_begun(alert: Alert, rule: Rule, now: float) -> bool:
    if alert.state != "pending" or now - alert.since < rule.says.for_s:
        return False
    alert.state, alert.fired_at = "firing", now
    return True


def _is_over(alert: Alert, rule: Rule | None, found: Found, now: float) -> bool:
    if alert.state == "resolved" or alert.seen_at == now:
        return False
    if rule is None:
        return True
    if alert.rule not in found:
        return False
    return alert.state == "pending" or now - alert.seen_at >= rule.says.keep_s


def _event(state: State, what: What, alert: Alert, now: float) -> Event:
    state.events += 1
    return Event(state.events, now, what, alert.rule, alert.severity, alert.labels, alert.value)

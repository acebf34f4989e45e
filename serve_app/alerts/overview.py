"""What people see of alerts: those that hold, what happened, the rules, the channels."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from serve_app.alerts import wording
from serve_app.alerts.engine import Engine
from serve_app.alerts.rules import Rule
from serve_app.alerts.state import Alert, State


async def overview(engine: Engine) -> dict[str, Any]:
    """The answer of `GET /v1/alerts`; times in Unix seconds.

    Raises:
        StoreUnavailable: nothing is known here, and Redis is away.
    """
    state, events = await engine.look()
    shown = [_alert(engine, alert) for alert in state.alerts.values()]
    return {
        "object": "alerts",
        "firing": [alert for alert in shown if alert["state"] == "firing"],
        "pending": [alert for alert in shown if alert["state"] == "pending"],
        "history": [asdict(event) for event in events],
        "rules": [_rule(engine, rule, state) for rule in engine.rules],
        "channels": [_channel(engine, name, state) for name in engine.post.couriers],
    }


def _alert(engine: Engine, alert: Alert) -> dict[str, Any]:
    rule = next((rule for rule in engine.rules if rule.name == alert.rule), None)
    return {
        "alert": alert.rule,
        "severity": alert.severity,
        "state": alert.state,
        "labels": alert.labels,
        "value": alert.value,
        "since": alert.since,
        "fired_at": alert.fired_at or None,
        "summary": alert.rule if rule is None else _said(engine, rule, alert),
        "silenced": engine.silences.silences(alert),
        "runbook": "" if rule is None else rule.runbook(engine.policy.runbooks),
    }


def _said(engine: Engine, rule: Rule, alert: Alert) -> str:
    return wording.summary(rule.says, alert.labels, alert.value, engine.policy.language)


def _rule(engine: Engine, rule: Rule, state: State) -> dict[str, Any]:
    return {
        "name": rule.name,
        "severity": rule.says.severity,
        "expr": rule.expr,
        "for_s": rule.says.for_s,
        "runbook": rule.runbook(engine.policy.runbooks),
        "problem": state.problems.get(rule.name, ""),
    }


def _channel(engine: Engine, name: str, state: State) -> dict[str, Any]:
    channel = engine.post.couriers[name].channel
    return {
        "name": name,
        "kind": channel.kind,
        "severities": channel.severities,
        "waiting": len(state.outbox.get(name, [])),
        "problem": state.troubles.get(name, ""),
    }

"""The rules that hold: shipped ones, changed as the policy says, and the policy's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from msgspec import Struct
from pydantic import TypeAdapter

from serve_app.alerts.promql.nodes import Node, kind_of, longest_s
from serve_app.alerts.promql.parser import parse
from serve_app.alerts.promql.words import BadExpression
from serve_app.config.alerts_policy import AlertChange, AlertRule, AlertsPolicy
from serve_app.core.errors import PolicyRejected

_THRESHOLD = "$threshold"


class Rule(Struct, frozen=True):
    """A rule that can be evaluated."""

    says: AlertRule
    expr: str
    """PromQL, its threshold filled in."""
    node: Node

    @property
    def name(self) -> str:
        return self.says.name

    def runbook(self, folder: str) -> str:
        """Where it says what to do; empty: nowhere."""
        return f"{folder}{self.says.runbook or f'{self.name}.md'}" if folder else ""


def read(path: Path) -> list[AlertRule]:
    """The rules of a file such as configs/alerts.yaml.

    Raises:
        ValueError: it is no list of rules (pydantic's `ValidationError` is one).
    """
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return TypeAdapter(list[AlertRule]).validate_python(found)


def text(rule: AlertRule) -> str:
    """A rule's expression with its threshold in its place: what stands in Prometheus' files.

    Raises:
        ValueError: it names a threshold and has none.
    """
    if _THRESHOLD not in rule.expr:
        return rule.expr
    if rule.threshold is None or not math.isfinite(rule.threshold):
        raise ValueError(f"has {_THRESHOLD} in its expression and no threshold")
    return rule.expr.replace(_THRESHOLD, f"{rule.threshold:.12g}")


def compiled(rule: AlertRule) -> Rule:
    """
    Raises:
        PolicyRejected: names the rule, and the place in its expression.
    """
    try:
        expr = text(rule)
        node = parse(expr)
        if kind_of(node) == "scalar":
            raise BadExpression("a number is no alert; compare a metric", expr, 0)
    except ValueError as error:
        raise PolicyRejected(f"alerts.rules: {rule.name}: {error}") from None
    return Rule(rule, expr, node)


def in_force(
    policy: AlertsPolicy, shipped: Sequence[AlertRule], thresholds: Mapping[str, float]
) -> list[Rule]:
    """
    Args:
        thresholds: by shipped rule, what other parts of the policy say.

    Raises:
        PolicyRejected: a rule cannot be used, or a change is of one that does not exist.
    """
    if not policy.enabled:
        return []
    known = {rule.name: rule for rule in shipped}
    for name in policy.changes:
        if name not in known:
            raise PolicyRejected(
                f"alerts.changes: there is no shipped rule {name!r}; there are {', '.join(known)}"
            )
    own = {rule.name for rule in policy.rules}
    kept = [rule for rule in shipped if policy.shipped and rule.name not in own]
    changed = [
        _changed(rule, policy.changes.get(rule.name, AlertChange()), thresholds.get(rule.name))
        for rule in kept
    ]
    return [compiled(rule) for rule in (*changed, *policy.rules) if rule is not None]


def farthest_s(rules: Sequence[Rule]) -> float:
    """How far back they look, in seconds."""
    return max((longest_s(rule.node) for rule in rules), default=0.0)


def _changed(rule: AlertRule, change: AlertChange, threshold: float | None) -> AlertRule | None:
    if not change.enabled:
        return None
    said = change.model_dump(exclude={"enabled"}, exclude_none=True)
    if threshold is not None:
        said.setdefault("threshold", threshold)
    return rule.model_copy(update=said)

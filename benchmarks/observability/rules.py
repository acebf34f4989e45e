"""The service's own alert rules, in Prometheus' words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from benchmarks.observability.places import ALERTS, SHIPPED
from serve_app.alerts.rules import read, text
from serve_app.alerts.wording import number
from serve_app.config.alerts_policy import AlertRule

_HEAD = """\
# Made from configs/alerts.yaml by `python -m benchmarks.observability`: change it there.
# The same expressions hold inside the service (docs/alerts.md); whoever lets Prometheus warn can
# switch those off with `alerts.enabled: false`. Needs Prometheus 2.42 for `keep_firing_for`.
"""
_HOLE = re.compile(r"\{(\w+)\}")
_SHOWN = {
    "share": "{{ $value | humanizePercentage }}",
    "seconds": "{{ $value | humanizeDuration }}",
    "number": "{{ $value | humanize }}",
}


def written() -> str:
    """The file configs/observability/rules/alerts.yaml."""
    rules = [_rule(rule) for rule in read(SHIPPED)]
    groups = {"groups": [{"name": "serve-app-alerts", "interval": "15s", "rules": rules}]}
    body = yaml.dump(groups, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)
    return _HEAD + body


def write() -> Path:
    """Write it."""
    ALERTS.write_text(written(), encoding="utf-8")
    return ALERTS


def _rule(rule: AlertRule) -> dict[str, Any]:
    said: dict[str, Any] = {"alert": rule.name, "expr": text(rule)}
    if rule.for_s:
        said["for"] = f"{rule.for_s:g}s"
    if rule.keep_s:
        said["keep_firing_for"] = f"{rule.keep_s:g}s"
    runbook = f"docs/runbooks/{rule.runbook or f'{rule.name}.md'}"
    said["labels"] = {"severity": rule.severity}
    said["annotations"] = {"summary": _summary(rule), "runbook": runbook}
    return said


def _summary(rule: AlertRule) -> str:
    """The rule's sentence as a template of Prometheus."""

    def filled(hole: re.Match[str]) -> str:
        if hole[1] == "value":
            return _SHOWN[rule.unit]
        if hole[1] == "threshold" and rule.threshold is not None:
            return number(rule.threshold, rule.unit)
        return f"{{{{ $labels.{hole[1]} }}}}"

    return _HOLE.sub(filled, rule.summary.en)


class _Dumper(yaml.SafeDumper):
    """Long texts stay on one line each, and lists are indented as in our other files."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

"""What people read of an alert: numbers, sentences, and whole messages in two languages."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from serve_app.alerts.state import Item, Notice
from serve_app.config.alerts_policy import AlertRule, Language, Unit

_HOLE: Final = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)\}")
_MAX_LABEL: Final = 120
_MAX_ITEMS: Final = 20
_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "firing": "FIRING", "resolved": "RESOLVED", "critical": "critical", "warning": "warning",
        "info": "info", "since": "since", "until": "over since", "more": "and {count} more",
        "what to do": "What to do", "test": "This is a test: alerts reach this channel.",
    },
    "zh": {
        "firing": "告警", "resolved": "已恢复", "critical": "严重", "warning": "警告",
        "info": "提示", "since": "开始于", "until": "恢复于", "more": "另有 {count} 条",
        "what to do": "处理方法", "test": "这是一条测试消息:告警可以送达此渠道。",
    },
}  # fmt: skip


def number(value: float | None, unit: Unit) -> str:
    """A value as people read it: `5.2%`, `6.1 s`, `120`."""
    if value is None:
        return "-"
    if unit == "share":
        return f"{value * 100:.3g}%"
    if unit == "seconds":
        return f"{value:.3g} s" if value < 1000 else f"{value:.0f} s"
    return f"{value:.0f}" if value == round(value) else f"{value:.3g}"


def summary(
    rule: AlertRule, labels: Mapping[str, str], value: float | None, language: Language
) -> str:
    """A rule's sentence, with what is known of an alert in its places."""
    said = rule.summary.zh if language == "zh" and rule.summary.zh else rule.summary.en
    known = {name: one_line(text) for name, text in labels.items()}
    known["value"] = number(value, rule.unit)
    if rule.threshold is not None:
        known["threshold"] = number(rule.threshold, rule.unit)
    return _HOLE.sub(lambda hole: known.get(hole[1], "-"), said)


def one_line(text: str) -> str:
    """A label's value, which may come from outside, as a harmless part of a line."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable if len(printable) <= _MAX_LABEL else printable[: _MAX_LABEL - 1] + "…"


def title(notice: Notice) -> str:
    """`[serve-app] FIRING critical: ErrorRateHigh`"""
    words = _WORDS[notice.language]
    what = f"{words[notice.status]} {words[notice.severity]}"
    return f"[{notice.service}] {what}: {notice.alert}"


def body(notice: Notice) -> str:
    """A paragraph an alert, and where it says what to do."""
    words = _WORDS[notice.language]
    shown = notice.items[:_MAX_ITEMS]
    parts = [_paragraph(item, words) for item in shown]
    if len(notice.items) > len(shown):
        parts.append(words["more"].format(count=len(notice.items) - len(shown)))
    if notice.runbook:
        parts.append(f"{words['what to do']}: {notice.runbook}")
    return "\n\n".join(parts)


def trial(service: str, language: Language, at: float) -> Notice:
    """A message that says that messages arrive."""
    said = _WORDS[language]["test"]
    item = Item("Test", "firing", {}, "", said, at)
    return Notice(
        f"alert_{secrets.token_hex(12)}",
        "Test", "info", "firing", {}, at, "", language, service, [item],
    )  # fmt: skip


def _paragraph(item: Item, words: Mapping[str, str]) -> str:
    when = f"{words['since']} {_moment(item.since)}"
    if item.ended_at:
        when += f", {words['until']} {_moment(item.ended_at)}"
    labels = ", ".join(f"{name}={one_line(text)}" for name, text in sorted(item.labels.items()))
    lines = [f"{words[item.status]}: {item.summary}", when, labels]
    return "\n".join(filter(None, lines))


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

"""What the routes of alerts answer."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "number"}
_LABELS: Final[Json] = {"type": "object", "additionalProperties": _TEXT}


def alert_schemas() -> Json:
    """What they answer, by name."""
    alert = _object(
        alert=_TEXT, severity=_TEXT, state={"enum": ["pending", "firing", "resolved"]},
        labels=_LABELS, value={"type": ["number", "null"]}, since=_NUMBER,
        fired_at={"type": ["number", "null"]}, summary=_TEXT, silenced={"type": "boolean"},
        runbook=_TEXT,
    )  # fmt: skip
    event = _object(
        number={"type": "integer"}, at=_NUMBER, what={"enum": ["fired", "resolved"]}, alert=_TEXT,
        severity=_TEXT, labels=_LABELS, value={"type": ["number", "null"]},
    )  # fmt: skip
    rule = _object(
        name=_TEXT, severity=_TEXT, expr=_TEXT, for_s=_NUMBER, runbook=_TEXT, problem=_TEXT
    )
    channel = _object(
        name=_TEXT, kind=_TEXT, severities=_list(_TEXT), waiting={"type": "integer"},
        problem=_TEXT,
    )  # fmt: skip
    return {
        "Alerts": _object(
            object={"const": "alerts"}, firing=_list(alert), pending=_list(alert),
            history=_list(event), rules=_list(rule), channels=_list(channel),
        ),
        "Silence": _object(
            id=_TEXT, matchers=_list(_object(label=_TEXT, value=_TEXT, op=_TEXT)), until=_NUMBER,
            author=_TEXT, reason=_TEXT, created_at=_NUMBER,
        ),
        "SilenceList": _object(
            object={"const": "list"}, data=_list({"$ref": "#/components/schemas/Silence"})
        ),
        "SilenceDeleted": _object(id=_TEXT, object={"const": "silence"}, deleted={"const": True}),
        "ChannelTested": _object(channel=_TEXT, delivered={"const": True}),
    }  # fmt: skip


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": [*properties]}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}

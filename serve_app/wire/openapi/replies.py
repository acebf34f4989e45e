"""Schemas of answers that have no type of ours: they are passed on, or put together from parts."""

from __future__ import annotations

from typing import Any, Final

from serve_app.wire.tasks import STATES

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_MONEY: Final[Schema] = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]+$"}
_MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}


def _object(*optional: str, **properties: Schema) -> Schema:
    """An object that has all of these, but for the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_SUMS: Final = {
    "requests": _COUNT, "failed": _COUNT, "prompt_tokens": _COUNT, "completion_tokens": _COUNT,
    "cached": _COUNT, "cached_tokens": _COUNT, "cost_usd": _MONEY, "saved_usd": _MONEY,
}  # fmt: skip
_DAY: Final = _object(day=_TEXT, **_SUMS)
_NAMED: Final = _list(_object(name=_TEXT, **_SUMS))
_TIME: Final[Schema] = {"type": ["number", "null"], "minimum": 0}
_USAGE: Final = {"object": {"const": "usage"}, "tenant": _TEXT, "total": _object(**_SUMS)}

_SPENT: Final = {
    "requests": _COUNT, "failed": _COUNT, "prompt_tokens": _COUNT, "completion_tokens": _COUNT,
    "provider_cached_tokens": _COUNT, "cached": _COUNT, "cached_prompt_tokens": _COUNT,
    "cached_completion_tokens": _COUNT, "cost_micro_usd": _COUNT, "saved_micro_usd": _COUNT,
    "cost_usd": _MONEY, "saved_usd": _MONEY,
}  # fmt: skip

REPLIES: Final[dict[str, Schema]] = {
    "Costs": _object(
        **{"object": {"const": "costs"}, "from": _COUNT, "to": _COUNT, "group_by": _list(_TEXT)},
        total=_object(**_SPENT), data=_list(_object(**_SPENT)), is_complete={"type": "boolean"},
    ),
    "Error": _object(
        error=_object(
            message=_TEXT, type=_TEXT, code=_TEXT, param=_MAYBE_TEXT, request_id=_TEXT
        )
    ),
    "AnthropicError": _object(
        type={"const": "error"}, error=_object(type=_TEXT, message=_TEXT), request_id=_TEXT
    ),
    "ChatCompletion": _object(
        "id", "object", "created", "usage",
        id=_TEXT, object=_TEXT, created={"type": "integer"}, model=_TEXT,
        choices=_list({"type": "object"}), usage={"type": ["object", "null"]},
    ),
    "AnthropicMessage": _object(
        id=_TEXT, type={"const": "message"}, role={"const": "assistant"}, model=_TEXT,
        content=_list(_object(type=_TEXT)), stop_reason=_MAYBE_TEXT, usage={"type": "object"},
    ),
    "Tokens": _object(input_tokens=_COUNT),
    "Completion": _object(
        id=_TEXT, object={"const": "text_completion"}, created={"type": "integer"}, model=_TEXT,
        choices=_list(_object(text=_TEXT, index=_COUNT, finish_reason=_MAYBE_TEXT)),
        usage=_ref("Usage"),
    ),
    "EmbeddingList": _object("usage", data=_list({"type": "object"}), usage={"type": "object"}),
    "AgentReply": _object(
        session_id=_MAYBE_TEXT, message=_TEXT, model=_TEXT,
        usage={"anyOf": [_ref("Usage"), {"type": "null"}]},
    ),
    "OwnUsage": _object(
        **_USAGE, user=_TEXT, key=_TEXT, days=_list(_DAY),
        limits=_list({"type": "object"}), budgets=_list({"type": "object"}),
    ),
    "TenantUsage": _object(
        **_USAGE, days=_list(_DAY), users=_NAMED, keys=_NAMED, models=_NAMED
    ),
    "HotList": _object(object={"const": "list"}, data=_list(_ref("Hot"))),
    "Warmed": _object(fingerprint=_TEXT, status={"enum": ["stored", "present"]}),
    "NewKey": {"allOf": [_ref("Key"), _object(key=_TEXT)]},
    "KeyList": _object(object={"const": "list"}, data=_list(_ref("Key")), next=_TEXT),
    "Task": _object(
        object={"const": "task"}, id=_TEXT, kind=_TEXT, tenant=_TEXT, user=_TEXT, key_id=_TEXT,
        state={"enum": [*STATES]}, priority={"enum": ["high", "normal", "low"]}, attempts=_COUNT,
        max_retries=_COUNT, created_at=_TIME, started_at=_TIME, ended_at=_TIME, not_before=_TIME,
        expires_at=_TIME, result_bytes=_COUNT, progress=_COUNT, webhook=_TEXT, label=_TEXT,
        soft_limit_s={"type": "number"}, worker=_TEXT,
        error={"anyOf": [_object(code=_TEXT, message=_TEXT), {"type": "null"}]},
    ),
    "Trail": _object(
        object={"const": "trail"}, request_id=_TEXT, trace_id=_TEXT, began_at=_TIME,
        ms={"type": "number"}, route=_TEXT, status=_COUNT, error=_TEXT, tenant=_TEXT, team=_TEXT,
        user=_TEXT, key_id=_TEXT, session=_TEXT, backend=_TEXT, model=_TEXT, cache=_TEXT,
        streamed={"type": "boolean"}, prompt_tokens=_COUNT, completion_tokens=_COUNT,
        cost_micro_usd=_COUNT, saved_micro_usd=_COUNT, first_content_ms=_TIME,
        notes=_list(_object(
            stage=_TEXT, decision=_TEXT, began_ms={"type": "number"}, took_ms={"type": "number"},
            facts={"type": "object"},
        )),
        notes_left_out=_COUNT, plan={"type": ["object", "null"]},
    ),
    "TaskTaken": _object(task_id=_TEXT, status={"enum": [*STATES]}),
    "TaskAnswer": _object(
        "ended_at", "result", "model", "backend", "cost_usd", "request_id", "error",
        task_id=_TEXT, status={"enum": [*STATES]}, created_at=_TIME, attempts=_COUNT,
        ended_at=_TIME, result={"type": "object"}, model=_TEXT, backend=_TEXT, cost_usd=_MONEY,
        request_id=_TEXT, error=_object(code=_TEXT, message=_TEXT),
    ),
    "TaskList": _object(object={"const": "list"}, data=_list(_ref("Task")), next=_TEXT),
    "TasksPurged": _object(purged=_COUNT, next=_TEXT),
    "TaskDeleted": _object(id=_TEXT, object={"const": "task"}, deleted={"const": True}),
    "Model": _object(
        id=_TEXT, object={"const": "model"}, created=_COUNT, owned_by=_TEXT
    ),
    "ModelList": _object(object={"const": "list"}, data=_list(_ref("Model"))),
    "AnthropicModel": _object(
        type={"const": "model"}, id=_TEXT, display_name=_TEXT, created_at=_TEXT
    ),
    "AnthropicModelList": _object(
        data=_list(_ref("AnthropicModel")), has_more={"type": "boolean"}, first_id=_MAYBE_TEXT,
        last_id=_MAYBE_TEXT,
    ),
    "Alive": _object(status={"const": "alive"}),
    "Readiness": _object(
        status={"enum": ["ready", "not ready", "draining"]}, profile=_TEXT,
        policy={"type": "object"}, checks={"type": "object"},
    ),
}  # fmt: skip
"""By name. What a backend adds of its own is passed on, so more fields than these may come."""

"""The routes of work that is done later, as their callers see it."""

from __future__ import annotations

from typing import Any, Final

from serve_app.wire.background import MAX_IDEMPOTENCY_CHARS, MAX_WAIT_S
from serve_app.wire.openapi.parts import (
    EVENTS,
    JSON,
    desk_replies,
    header,
    operation,
    path,
    query,
)
from serve_app.wire.openapi.schemas import ref

Json = dict[str, Any]

_ID: Final = path("id", pattern="^task_[0-9a-f]{24}$")
_IDEMPOTENCY: Final = header(
    "idempotency-key",
    "The same key and body mean the same task; another body is a conflict.",
    minLength=1,
    maxLength=MAX_IDEMPOTENCY_CHARS,
)
_CONFLICT: Final = {"$ref": "#/components/responses/Problem", "description": "Conflict"}


def later_paths() -> Json:
    """By path, then by method."""
    return {
        "/agent/async": {"post": _submission(
            "askAgentLater", "A message to the agent that is answered later.", "AsyncRequest"
        )},
        "/v1/tasks": {"post": _submission(
            "submitTask", "A request of an API that asks a model, to be answered later.",
            "TaskRequest",
        )},
        "/agent/result/{id}": {"get": operation(
            "getResult",
            "What came of a task; how far it is, if it has not ended.",
            desk_replies("TaskAnswer"),
            parameters=[
                _ID,
                query("wait_s", "So long at most, if it has not ended; 0: not at all.",
                      type="integer", minimum=0, maximum=MAX_WAIT_S, default=0),
            ],
        )},
        "/agent/events/{id}": {"get": operation(
            "followTask",
            "What happens to a task, while it happens: `progress`, `restart` when a new try "
            "begins, and `end`.",
            _followed(desk_replies("TaskAnswer")),
            parameters=[_ID, header("last-event-id", "Goes on after this event.")],
        )},
        "/agent/tasks/{id}/cancel": {"post": operation(
            "cancelOwnTask", "End a task as it is; one that has ended stays.",
            desk_replies("TaskAnswer"), parameters=[_ID],
        )},
    }  # fmt: skip


def _submission(name: str, summary: str, body: str) -> Json:
    answers = {status: answer for status, answer in desk_replies().items() if status != "200"}
    taken = {"description": "Accepted", "content": {JSON: {"schema": ref("TaskTaken")}}}
    return operation(
        name,
        summary,
        {"202": taken, **answers, "409": _CONFLICT},
        body=body,
        parameters=[_IDEMPOTENCY],
    )


def _followed(answers: Json) -> Json:
    return {**answers, "200": {"description": "OK", "content": {EVENTS: {}}}}

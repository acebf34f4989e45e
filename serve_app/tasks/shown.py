"""A task of kind `job` as its caller sees it: when it is asked for, and in a webhook."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from serve_app.core.job import Outcome
from serve_app.core.money import usd
from serve_app.tasks.base import TaskView

_outcome = msgspec.msgpack.Decoder(Outcome)


def shown(view: TaskView) -> dict[str, Any]:
    """With its result where there is one, with its latest error where there is none."""
    found: dict[str, Any] = {
        "task_id": view.id,
        "status": view.state,
        "created_at": view.created_at,
        "attempts": view.attempts,
    }
    if view.ended_at:
        found["ended_at"] = view.ended_at
    if view.state == "succeeded" and view.result is not None:
        found |= _told(_outcome.decode(view.result))
    elif view.error_code:
        found["error"] = {"code": view.error_code, "message": view.error_message}
    return found


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "result": Raw(outcome.body),
        "model": outcome.model,
        "backend": outcome.backend,
        "cost_usd": usd(outcome.cost_micro_usd),
        "request_id": outcome.request_id,
    }

"""A submission checked against the policy, and as the script takes it."""

from __future__ import annotations

import re
import secrets
from typing import Final

from serve_app.config.tasks_policy import TasksPolicy
from serve_app.store.keys import escape
from serve_app.store.link import Argument
from serve_app.tasks.base import PRIORITIES, BadTask, NewTask
from serve_app.tasks.record import Head, pack_head

WEBHOOK: Final = "webhook"
"""Kind of the task that follows the end of one with a `webhook`; its payload is that one's id."""

_ID: Final = re.compile(r"task_[0-9a-f]{24}")
_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_MOST_TEXT: Final = {
    "tenant": 256, "user": 256, "key_id": 256, "label": 256, "webhook": 2048,
    "idempotency_key": 256, "idempotency_digest": 128,
}  # fmt: skip
_WEBHOOK_KEPT_S: Final = 600.0


def new_id() -> str:
    return f"task_{secrets.token_hex(12)}"


def is_id(text: str) -> bool:
    """Whether it can be the id of a task."""
    return _ID.fullmatch(text) is not None


def arguments(new: NewTask, policy: TasksPolicy) -> list[Argument]:
    """Of `task_submit.lua`, for one task.

    Raises:
        BadTask: names the field.
    """
    _check_names(new)
    if len(new.payload) > policy.max_payload_bytes:
        raise BadTask(
            f"The task has {len(new.payload)} bytes; at most {policy.max_payload_bytes}",
            code="task_too_large",
        )
    soft_limit_s = policy.soft_limit_s if new.soft_limit_s is None else new.soft_limit_s
    _within("soft_limit_s", soft_limit_s, 0.001, policy.max_soft_limit_s)
    _within("delay_s", new.delay_s, 0.0, policy.max_delay_s)
    retries = policy.retries if new.max_retries is None else new.max_retries
    _within("max_retries", retries, 0, 100)
    kept_s = policy.result_ttl_s if new.result_ttl_s is None else new.result_ttl_s
    _within("result_ttl_s", kept_s, 0.001, 366 * 86400.0)
    head = Head(
        new.kind, new.tenant, new.user, new.key_id, soft_limit_s, new.webhook, new.label
    )  # fmt: skip
    return [
        new.task_id or new_id(),
        escape(new.tenant),
        new.priority,
        pack_head(head),
        new.payload,
        milliseconds(new.delay_s),
        retries,
        milliseconds(kept_s),
        escape(new.idempotency_key) if new.idempotency_key else "",
        new.idempotency_digest,
        _hook(new, policy) if new.webhook else b"",
    ]


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _hook(new: NewTask, policy: TasksPolicy) -> bytes:
    """What follows the end of a task: `RETRIES KEPT_MS HEAD`."""
    limit_s = min(policy.webhooks.timeout_s + 5.0, policy.max_soft_limit_s)
    head = Head(WEBHOOK, new.tenant, new.user, new.key_id, limit_s, label=new.label)
    kept_ms = milliseconds(_WEBHOOK_KEPT_S)
    return b"%d %d %b" % (policy.webhooks.retries, kept_ms, pack_head(head))


def _check_names(new: NewTask) -> None:
    for name, most in _MOST_TEXT.items():
        if len(getattr(new, name)) > most:
            raise BadTask(f"{name} has more than {most} characters", param=name)
    if _KIND.fullmatch(new.kind) is None:
        raise BadTask(f"{new.kind[:40]!r} is no kind of a task", param="kind")
    if new.task_id and not is_id(new.task_id):
        raise BadTask("task_id is `task_` and 24 hexadecimal digits", param="task_id")
    if new.priority not in PRIORITIES:
        raise BadTask(f"priority is one of {', '.join(PRIORITIES)}", param="priority")


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise BadTask(f"{name} is {value}; it must be from {least:g} to {most:g}", param=name)

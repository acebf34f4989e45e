"""What is sent to take tasks in, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from serve_app.config.tasks_policy import TasksPolicy
from serve_app.core.errors import GatewayError
from serve_app.store.link import Argument
from serve_app.tasks.base import Submitted
from serve_app.tasks.errors import QueueFull, TaskConflict, TenantQueueFull
from serve_app.tasks.record import view_of

_MANY: Final = 50
"""Tasks in one script: it keeps Redis from others for about 4 ms."""
_MANY_BYTES: Final = 1 << 20
_FULL_RETRY_S: Final = 10.0


def portions(ready: Sequence[Sequence[Argument]]) -> Iterator[list[Argument]]:
    """The arguments of tasks, of several in one list as far as that is bearable."""
    part: list[Argument] = []
    tasks = size = 0
    for task in ready:
        more = sum(len(argument) for argument in task if isinstance(argument, bytes))
        if part and (tasks == _MANY or size + more > _MANY_BYTES):
            yield part
            part, tasks, size = [], 0, 0
        part += task
        tasks += 1
        size += more
    if part:
        yield part


def submitted(reply: Sequence[Any], policy: TasksPolicy) -> Submitted:
    """What became of one task.

    Raises:
        GatewayError: as `TaskQueue.submit` says.
    """
    word = reply[0].decode()
    if word in ("new", "known"):
        return Submitted(view_of(reply[1]), is_new=word == "new")
    raise _refusal(word, policy)


def _refusal(word: str, policy: TasksPolicy) -> GatewayError:
    if word == "conflict":
        return TaskConflict(
            "This idempotency key was used for another request; use a new one.",
            code="idempotency_conflict",
        )
    if word == "tenant":
        return TenantQueueFull(
            f"{policy.max_queued_per_tenant} of your tasks are waiting already",
            retry_after_s=_FULL_RETRY_S,
        )
    what = "tasks" if word == "full" else "bytes of tasks"
    return QueueFull(f"No more {what} are taken in for now", retry_after_s=_FULL_RETRY_S)

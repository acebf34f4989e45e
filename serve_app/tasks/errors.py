"""What can go wrong with tasks, besides `StoreUnavailable`."""

from __future__ import annotations

from serve_app.core.errors import BadRequest, Conflict, NotFound, Overloaded, RateLimited


class QueueFull(Overloaded):
    """No more tasks, or no more bytes, for now (503)."""

    code = "queue_full"


class TenantQueueFull(RateLimited):
    """The tenant has as many tasks waiting as it may (429)."""

    code = "tenant_queue_full"


class TaskConflict(Conflict):
    """The idempotency key was used with another request, or the task's state does not allow it."""

    code = "task_conflict"


class TaskNotFound(NotFound):
    code = "task_not_found"


class BadTask(BadRequest):
    """Too large, a name too long, a limit out of its bounds."""

    code = "invalid_task"


class ResultTooLarge(Exception):
    """`finish` was given more than `tasks.max_result_bytes`; nothing was stored. Fail the task."""

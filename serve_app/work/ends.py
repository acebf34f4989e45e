"""How a try of a task ended, and who can bring it to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from serve_app.tasks.base import Claim
from serve_app.work.progress import Progress


class TaskEnd(Struct, frozen=True):
    """A result, or why there is none."""

    result: bytes | None = None
    code: str = ""
    """Of the failure."""
    message: str = ""
    retry: bool = False
    """Whether trying again may help."""
    after_s: float | None = None
    """Not before so many seconds; None: the policy's backoff."""

    @classmethod
    def failed(
        cls, code: str, message: str, *, retry: bool, after_s: float | None = None
    ) -> TaskEnd:
        return cls(None, code, message, retry, after_s)


Handler = Callable[[Claim, Progress], Awaitable[TaskEnd]]
"""Does one try of a task. It is cancelled when the task is, when its lease is lost, when it takes
longer than its soft limit, and when the worker ends."""

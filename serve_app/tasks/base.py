"""The words of the queue: a task, what is known of one, the claim of a worker on it.

`TaskQueue` is the contract; `queue.py` keeps it on Redis. What can go wrong is in `errors.py`, and
can be had from here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol, get_args

from msgspec import Struct

from serve_app.tasks.errors import BadTask as BadTask
from serve_app.tasks.errors import QueueFull as QueueFull
from serve_app.tasks.errors import ResultTooLarge as ResultTooLarge
from serve_app.tasks.errors import TaskConflict as TaskConflict
from serve_app.tasks.errors import TaskNotFound as TaskNotFound
from serve_app.tasks.errors import TenantQueueFull as TenantQueueFull

TaskPriority = Literal["high", "normal", "low"]
"""`low` is batch work; each has a turn now and then, however much is waiting above it."""

TaskState = Literal["pending", "delayed", "running", "succeeded", "failed", "cancelled", "dead"]
"""`delayed` waits for its time (a delayed start, a retry's backoff); `failed` had a final error;
`dead` ran out of tries: the dead letters."""

STATES: Final[tuple[TaskState, ...]] = get_args(TaskState)
ENDED: Final[tuple[TaskState, ...]] = ("succeeded", "failed", "cancelled", "dead")
PRIORITIES: Final[tuple[TaskPriority, ...]] = get_args(TaskPriority)


class NewTask(Struct, frozen=True):
    """Work to be done later. None of the limits means the policy's (`tasks:`)."""

    kind: str
    """Which handler does it: `job`, `webhook`, `batch-shard`..."""
    payload: bytes
    tenant: str
    user: str = ""
    key_id: str = ""
    priority: TaskPriority = "normal"
    delay_s: float = 0.0
    """Not before so many seconds from now."""
    soft_limit_s: float | None = None
    """How long one try may take; the worker ends it then."""
    max_retries: int | None = None
    """Tries after the first one."""
    result_ttl_s: float | None = None
    """Seconds that result, record and events are kept after the end."""
    idempotency_key: str = ""
    """The caller's; submitted again, it means the same task. One name space per tenant."""
    idempotency_digest: str = ""
    """Of what the task does (path and body): the same key with another digest is a conflict."""
    webhook: str = ""
    """A URL that is told of the end: a task of kind `webhook` follows, whose payload is the id
    of this one, in the same step that ends this one."""
    label: str = ""
    """For people who look at lists."""
    task_id: str = ""
    """`task_` and 24 hexadecimal digits; empty: made. A task that is there already is not made
    again, so that a submission whose answer was lost can be repeated."""


class TaskView(Struct, frozen=True):
    """What is known of a task. Times are Unix seconds of Redis' clock, 0.0: not yet."""

    id: str
    kind: str
    tenant: str
    user: str
    key_id: str
    state: TaskState
    priority: TaskPriority
    attempts: int
    """Tries begun; one that was given back (`release`) does not count."""
    max_retries: int
    created_at: float
    started_at: float
    """Of the latest try."""
    ended_at: float
    not_before: float
    """When a delayed task goes on."""
    expires_at: float
    """When an ended one is forgotten."""
    error_code: str
    """Of the latest try that failed; stays while the next one is waiting or running."""
    error_message: str
    result: bytes | None
    """None also where it was not asked for (lists)."""
    result_bytes: int
    progress: int
    """Events so far, over all tries."""
    webhook: str
    label: str
    soft_limit_s: float
    worker: str
    """Who has it, or had it last."""


class Claim(Struct, frozen=True):
    """A task in the hands of a worker, until the lease ends. Renew it; then end it with `finish`,
    `fail` or `release`. `fence` is the claim's number: what comes with an older one is void."""

    task: TaskView
    payload: bytes
    fence: int
    lease_s: float

    @property
    def soft_limit_s(self) -> float:
        return self.task.soft_limit_s


class Submitted(Struct, frozen=True):
    view: TaskView
    is_new: bool
    """False: the idempotency key, or the id, was known."""


class TaskEvent(Struct, frozen=True):
    """Something that happened to a task.

    `progress` has the worker's bytes; `restart` means that a new try begins, and what was
    reported before is void; `end` has the final state as its data, and nothing follows.
    """

    id: str
    """Ordered, such as `1700000000000-0`; what `after` takes (`Last-Event-ID`)."""
    kind: Literal["progress", "restart", "end"]
    data: bytes


class Count(Struct, frozen=True):
    waiting: int = 0
    delayed: int = 0
    running: int = 0
    dead: int = 0


class Backlog(Struct, frozen=True):
    by_priority: dict[TaskPriority, Count]
    oldest_s: float
    """Age of the oldest task that waits and may run; 0: none waits."""
    bytes: int
    """Payloads and results held."""

    @property
    def waiting(self) -> int:
        return sum(count.waiting for count in self.by_priority.values())

    @property
    def running(self) -> int:
        return sum(count.running for count in self.by_priority.values())


class Swept(Struct, frozen=True):
    """What a sweep did: leases that had ended, of which so many tasks are dead now; delayed tasks
    whose time had come; ended ones that were forgotten."""

    expired: int
    dead: int
    due: int
    forgotten: int


class TaskPage(Struct, frozen=True):
    tasks: tuple[TaskView, ...]
    """Newest first, without results."""
    next: str
    """The `cursor` of the page after it; empty: there is none. A page may have fewer tasks than
    asked for, and yet a next."""


class Purged(Struct, frozen=True):
    count: int
    next: str
    """Goes on from here, as `cursor`; empty: done."""


class TaskQueue(Protocol):
    """Tasks of all tenants. Every method raises `StoreUnavailable`; whether it took effect is then
    unknown, and it may be repeated (`submit` with a `task_id`; the end of a claim as it is)."""

    async def submit(self, new: NewTask) -> Submitted:
        """
        Raises:
            QueueFull, TenantQueueFull: with `retry_after_s`.
            TaskConflict: the idempotency key stands for another request.
            BadTask: too large, or out of bounds.
        """

    async def submit_many(self, new: Sequence[NewTask]) -> list[Submitted]:
        """Like `submit` for each, in few round trips. The first that is refused ends it with its
        error; those before it are in."""

    async def take(self, worker: str, limit: int, most_low: int | None = None) -> list[Claim]:
        """Up to `limit` tasks, `most_low` of them of low priority (None: all may be); none if none
        is due. Sweeps a little on the way, so that a worker that polls needs no other clock. If
        the answer is lost (or the wait for it cancelled), the next call of this worker gives the
        same tasks; a worker has one call at a time."""

    async def renew(self, worker: str, claims: Sequence[Claim]) -> set[str]:
        """Start the leases of claims anew; ids of those that are lost: cancelled, or another
        worker's by now. Stop these; their end would be refused."""

    async def finish(self, claim: Claim, result: bytes) -> bool:
        """Store the result. False: the claim was lost, nothing is stored. Repeatable.

        Raises:
            ResultTooLarge: nothing was stored.
        """

    async def fail(
        self, claim: Claim, code: str, message: str, *, retry: bool, after_s: float | None = None
    ) -> TaskState | None:
        """The state the task is in now: `delayed` (tried again, after `after_s` or the policy's
        backoff), `dead` (it was the last try) or `failed` (`retry` is false). None: the claim was
        lost. Repeatable."""

    async def release(self, claim: Claim) -> bool:
        """Give a task back, first in line, the try not counted: a worker that ends. Repeatable."""

    async def cancel(self, tenant: str | None, task_id: str) -> TaskView:
        """End a task that has not ended; a running one's worker learns of it when it renews. An
        ended one stays as it is. `tenant` None: any (an admin).

        Raises:
            TaskNotFound: the tenant has no such task.
        """

    async def get(self, tenant: str | None, task_id: str) -> TaskView | None:
        """With its result."""

    async def get_many(self, tenant: str | None, ids: Sequence[str]) -> list[TaskView | None]:
        """In the order of the ids, without results."""

    async def progress(self, claim: Claim, events: Sequence[bytes]) -> bool:
        """Tell followers. False: the claim was lost. The oldest go beyond `tasks.max_events`."""

    async def events(
        self, tenant: str | None, task_id: str, after: str = "", limit: int = 500
    ) -> list[TaskEvent]:
        """What happened after the event of that id (empty: from the first that is kept).

        Raises:
            TaskNotFound: the tenant has no such task.
            BadTask: `after` is no id of an event.
        """

    async def sweep(self, limit: int = 100) -> Swept:
        """Take tasks back from workers that did not renew, let delayed ones go on, forget expired
        ones: up to `limit` of each. From any number of workers at once."""

    async def backlog(self) -> Backlog:
        """In a time that does not depend on how many there are."""

    async def list(
        self,
        tenant: str | None,
        state: TaskState | None = None,
        cursor: str = "",
        limit: int = 100,
    ) -> TaskPage:
        """
        Raises:
            BadTask: the cursor is none of ours.
        """

    async def retry(self, tenant: str | None, task_id: str) -> TaskView:
        """A dead or failed task as if it were new: pending, no tries yet.

        Raises:
            TaskNotFound: the tenant has no such task.
            TaskConflict: it is neither dead nor failed.
        """

    async def forget(self, tenant: str | None, task_id: str) -> bool:
        """End a task if need be and remove all that is known of it. False: there was none."""

    async def purge(
        self,
        state: TaskState | None,
        older_than_s: float = 0.0,
        tenant: str | None = None,
        cursor: str = "",
        limit: int = 500,
    ) -> Purged:
        """Forget tasks of a state that ended (or, not having ended, were made) so long ago: those
        among the next `limit`, oldest first. None: all that ended. Running ones never.

        Raises:
            BadTask: the cursor is none of ours, or the state is `running`.
        """

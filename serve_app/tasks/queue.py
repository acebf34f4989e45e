"""The queue of tasks on Redis: each change is one script, see `store/lua/parts/tasks.lua`."""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from serve_app.config.structure import TaskSettings
from serve_app.config.tasks_policy import TasksPolicy
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.keys import escape
from serve_app.store.link import Argument
from serve_app.tasks.base import (
    ENDED,
    PRIORITIES,
    Backlog,
    BadTask,
    Claim,
    Count,
    NewTask,
    Purged,
    QueueFull,
    ResultTooLarge,
    Submitted,
    Swept,
    TaskConflict,
    TaskEvent,
    TaskNotFound,
    TaskPage,
    TaskState,
    TaskView,
)
from serve_app.tasks.intake import portions, submitted
from serve_app.tasks.record import view_of
from serve_app.tasks.terms import arguments, is_id, milliseconds

MAX_EVENT_BYTES: Final = 64 << 10

_SEEN_TO: Final = 20
"""Overdue tasks of each kind that a worker sees to whenever it asks for work."""
_LOOKED_AT: Final = 500
_EVENT_ID: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")
_BORN: Final = re.compile(r"[0-9]{1,16}")
_MAX_MESSAGE: Final = 1000


class RedisQueue:
    """The one `TaskQueue`.

    Args:
        random: for the pauses before retries.
        on_submitted: called when tasks were taken in that may run now, so that workers of this
            process need not wait for their next look.
    """

    def __init__(
        self,
        store: Store,
        settings: TaskSettings,
        policy: TasksPolicy,
        random: random.Random,
        on_submitted: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._lease_s = settings.lease_s
        self._policy = policy
        self._random = random
        self._on_submitted = on_submitted
        self._keys = [keys.tasks("counts")]
        self._unanswered: dict[str, str] = {}
        """By worker, the mark of a `take` whose answer never came."""

    def reconfigure(self, policy: TasksPolicy) -> None:
        """From the next call on."""
        self._policy = policy

    # ---------------------------------------------------------------- submitting

    async def submit(self, new: NewTask) -> Submitted:
        [submitted] = await self.submit_many([new])
        return submitted

    async def submit_many(self, new: Sequence[NewTask]) -> list[Submitted]:
        policy = self._policy
        if not policy.enabled:
            raise QueueFull("Background tasks are off (tasks.enabled)", code="tasks_disabled")
        bounds = (policy.max_queued, policy.max_queued_per_tenant, policy.max_bytes)
        done: list[Submitted] = []
        try:
            for part in portions([arguments(task, policy) for task in new]):
                replies = await self._run("submit", *bounds, *part)
                done += [submitted(reply, policy) for reply in replies]
        finally:
            if any(one.is_new and one.view.state == "pending" for one in done):
                self._on_submitted()
        return done

    # ------------------------------------------------------------------- working

    async def take(self, worker: str, limit: int, most_low: int | None = None) -> list[Claim]:
        lease_ms, low = milliseconds(self._lease_s), limit if most_low is None else most_low
        mark = self._unanswered.setdefault(worker, secrets.token_hex(8))
        taken = await self._run(
            "take", escape(worker), limit, lease_ms, *self._dead(), _SEEN_TO, low, mark
        )
        self._unanswered.pop(worker, None)
        return [
            Claim(task=view_of(view), payload=payload, fence=fence, lease_s=self._lease_s)
            for fence, payload, view in taken
        ]

    async def renew(self, worker: str, claims: Sequence[Claim]) -> set[str]:
        if not claims:
            return set()
        held = [part for claim in claims for part in (claim.task.id, claim.fence)]
        lost = await self._run("renew", milliseconds(self._lease_s), *held)
        return {task_id.decode() for task_id in lost}

    async def finish(self, claim: Claim, result: bytes) -> bool:
        most = self._policy.max_result_bytes
        if len(result) > most:
            raise ResultTooLarge(f"the result has {len(result)} bytes; at most {most}")
        return bool(await self._run("finish", claim.task.id, claim.fence, result))

    async def fail(
        self, claim: Claim, code: str, message: str, *, retry: bool, after_s: float | None = None
    ) -> TaskState | None:
        pause_s = self._backoff_s(claim.task.attempts) if after_s is None else after_s
        state = await self._run(
            "fail",
            claim.task.id,
            claim.fence,
            code[:64],
            message[:_MAX_MESSAGE].encode("utf-8", "replace"),
            "retry" if retry else "final",
            milliseconds(max(0.0, pause_s)),
            *self._dead(),
        )
        return None if state is None else cast("TaskState", state.decode())

    async def release(self, claim: Claim) -> bool:
        return bool(await self._run("release", claim.task.id, claim.fence))

    async def progress(self, claim: Claim, events: Sequence[bytes]) -> bool:
        for event in events:
            if len(event) > MAX_EVENT_BYTES:
                raise ValueError(f"an event of {len(event)} bytes; at most {MAX_EVENT_BYTES}")
        if not events:
            return True
        most = self._policy.max_events
        return bool(await self._run("tell", claim.task.id, claim.fence, most, *events))

    async def sweep(self, limit: int = 100) -> Swept:
        return Swept(*await self._run("sweep", limit, *self._dead()))

    def _dead(self) -> tuple[int, int]:
        """How long dead tasks are kept (ms), and how many."""
        return milliseconds(self._policy.dead_ttl_s), self._policy.max_dead

    def _backoff_s(self, attempts: int) -> float:
        """Doubled with each try; up to half is left out, so that what failed together does not
        come back together."""
        policy = self._policy
        pause_s = min(policy.max_backoff_s, policy.backoff_s * 2.0 ** min(attempts - 1, 60))
        return pause_s * self._random.uniform(0.5, 1.0)

    # ------------------------------------------------------------------- looking

    async def get(self, tenant: str | None, task_id: str) -> TaskView | None:
        if not is_id(task_id):
            return None
        [found] = await self._run("get", _owner(tenant), 1, task_id)
        return None if found is None else view_of(found[1], found[0])

    async def get_many(self, tenant: str | None, ids: Sequence[str]) -> list[TaskView | None]:
        if not ids:
            return []
        wanted = [task_id if is_id(task_id) else "" for task_id in ids]
        found = await self._run("get", _owner(tenant), 0, *wanted)
        return [None if one is None else view_of(one[1]) for one in found]

    async def events(
        self, tenant: str | None, task_id: str, after: str = "", limit: int = 500
    ) -> list[TaskEvent]:
        if after and _EVENT_ID.fullmatch(after) is None:
            raise BadTask(f"{after[:40]!r} is no id of an event", param="last-event-id")
        reply = None
        if is_id(task_id):
            reply = await self._run("events", _owner(tenant), task_id, after, limit)
        if reply is None:
            raise _no_such(task_id)
        return [TaskEvent(event.decode(), kind.decode(), data) for event, kind, data in reply]

    async def backlog(self) -> Backlog:
        states = ("pending", "delayed", "running", "dead")
        fields = [f"{state}:{priority}" for priority in PRIORITIES for state in states]
        values, oldest_ms = await self._run("backlog", "bytes", *fields)
        held, *counts = [int(value or 0) for value in values]
        by_priority = {
            priority: Count(*counts[i * len(states) : (i + 1) * len(states)])
            for i, priority in enumerate(PRIORITIES)
        }
        return Backlog(by_priority, oldest_ms / 1000, held)

    async def list(
        self,
        tenant: str | None,
        state: TaskState | None = None,
        cursor: str = "",
        limit: int = 100,
    ) -> TaskPage:
        if cursor:
            _check_cursor(cursor)
        page = await self._run("list", _owner(tenant), state or "", cursor, limit, _LOOKED_AT)
        return TaskPage(tuple(map(view_of, page[1:])), page[0].decode())

    # ------------------------------------------------------------------ deciding

    async def cancel(self, tenant: str | None, task_id: str) -> TaskView:
        reply = await self._run("cancel", _owner(tenant), task_id) if is_id(task_id) else None
        if reply is None:
            raise _no_such(task_id)
        return view_of(reply)

    async def retry(self, tenant: str | None, task_id: str) -> TaskView:
        reply = await self._run("retry", _owner(tenant), task_id) if is_id(task_id) else None
        if reply is None:
            raise _no_such(task_id)
        if isinstance(reply, bytes):
            raise TaskConflict(
                f"The task is {reply.decode()}; only failed and dead ones are tried again",
                code="task_not_failed",
            )
        self._on_submitted()
        return view_of(reply[0])

    async def forget(self, tenant: str | None, task_id: str) -> bool:
        return is_id(task_id) and bool(await self._run("forget", _owner(tenant), task_id))

    async def purge(
        self,
        state: TaskState | None,
        older_than_s: float = 0.0,
        tenant: str | None = None,
        cursor: str = "",
        limit: int = 200,
    ) -> Purged:
        if state == "running":
            raise BadTask("Running tasks are not purged; cancel them", param="state")
        states = ENDED if state is None else (state,)
        at, born = _parted(cursor, states)
        count, on = await self._run(
            "purge", at, _owner(tenant), born, milliseconds(older_than_s), limit
        )
        if on:
            return Purged(count, f"{at}:{on.decode()}")
        later = states[states.index(at) + 1 :]
        return Purged(count, f"{later[0]}:0" if later else "")

    async def _run(self, name: str, *args: Argument) -> Any:
        return await self._store.script(f"task_{name}", self._keys, args)


def _owner(tenant: str | None) -> str:
    """The tenant as the scripts know it; empty: any."""
    return "" if tenant is None else escape(tenant)


def _check_cursor(cursor: str) -> None:
    if _BORN.fullmatch(cursor) is None:
        raise BadTask(f"{cursor[:40]!r} is no place in a list", param="cursor")


def _parted(cursor: str, states: Sequence[TaskState]) -> tuple[TaskState, str]:
    """The state to go on with, and where in it."""
    if not cursor:
        return states[0], "0"
    state, _, born = cursor.partition(":")
    _check_cursor(born)
    for known in states:
        if known == state:
            return known, born
    raise BadTask(f"{cursor[:40]!r} is no place in this purge", param="cursor")


def _no_such(task_id: str) -> TaskNotFound:
    return TaskNotFound(f"There is no task {task_id[:64]!r}; it may have been forgotten")

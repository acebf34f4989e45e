"""The routes about tasks that are there: listed, shown, cancelled, tried again, forgotten."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

from serve_app.core.errors import Blocked, Overloaded
from serve_app.core.types import Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Route
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import TaskNotFound, TaskQueue, TaskView
from serve_app.wire.tasks import PurgeQuery, decode_purge, decode_query

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

_PURGE_STEPS: Final = 25
"""Each looks at 200 tasks; what is left after them, the caller asks for with `next`."""
_TIMES: Final = ("started_at", "ended_at", "not_before", "expires_at")
_INNER: Final = ("result", "error_code", "error_message")


class TaskRoutes:
    """`/v1/tasks` and what is below it. A caller's tasks are those of its tenant, an admin's are
    all. Nobody sees here what a task was given or what came of it.

    Args:
        identify: admits the caller of an exchange.
        is_admin: whether the caller has an admin key, or needs none.
    """

    def __init__(
        self,
        *,
        identify: Callable[[Exchange], Awaitable[Identity]],
        is_admin: Callable[[Exchange], bool],
        queue: TaskQueue,
    ) -> None:
        self._identify = identify
        self._is_admin = is_admin
        self._queue = queue

    def routes(self) -> list[Route]:
        one = "/v1/tasks/{id}"
        return [
            Route("GET", "/v1/tasks", self.list),
            Route("DELETE", "/v1/tasks", self.purge),
            Route("GET", one, self.show),
            Route("DELETE", one, self.forget),
            Route("POST", f"{one}/cancel", self.cancel),
            Route("POST", f"{one}/retry", self.retry),
        ]

    async def list(self, exchange: Exchange) -> None:
        """GET /v1/tasks?state=&tenant=&cursor=&limit=: newest first."""
        tenant = await self._tenant(exchange)
        query = decode_query(exchange.query)
        if query.tenant and query.tenant != tenant:
            self._check_admin(exchange, "see another tenant's tasks")
            tenant = query.tenant
        with _redis():
            page = await self._queue.list(tenant, query.state, query.cursor, query.limit)
        listed = {"object": "list", "data": [*map(shown, page.tasks)], "next": page.next}
        await exchange.answer_json(200, listed)

    async def show(self, exchange: Exchange) -> None:
        """GET /v1/tasks/{id}"""
        tenant, task_id = await self._tenant(exchange), exchange.params["id"]
        with _redis():
            [view] = await self._queue.get_many(tenant, [task_id])
        if view is None:
            raise _no_such(task_id)
        await exchange.answer_json(200, shown(view))

    async def cancel(self, exchange: Exchange) -> None:
        """POST /v1/tasks/{id}/cancel: one that has ended stays as it is."""
        tenant, task_id = await self._tenant(exchange), exchange.params["id"]
        with _redis():
            view = await self._queue.cancel(tenant, task_id)
        log.info("task %s was cancelled on request: it is %s", view.id, view.state)
        await exchange.answer_json(200, shown(view))

    async def retry(self, exchange: Exchange) -> None:
        """POST /v1/tasks/{id}/retry: a failed or dead one as if it were new."""
        tenant, task_id = await self._tenant(exchange), exchange.params["id"]
        with _redis():
            view = await self._queue.retry(tenant, task_id)
        log.info("task %s is tried again on request", view.id)
        await exchange.answer_json(200, shown(view))

    async def forget(self, exchange: Exchange) -> None:
        """DELETE /v1/tasks/{id}: ends it if need be; nothing of it is left."""
        tenant, task_id = await self._tenant(exchange), exchange.params["id"]
        with _redis():
            if not await self._queue.forget(tenant, task_id):
                raise _no_such(task_id)
        log.info("task %s was deleted on request", task_id)
        await exchange.answer_json(200, {"id": task_id, "object": "task", "deleted": True})

    async def purge(self, exchange: Exchange) -> None:
        """DELETE /v1/tasks?state=&older_than_s=&tenant=&cursor=: how many went."""
        await self._identify(exchange)
        self._check_admin(exchange, "purge tasks")
        with _redis():
            purged, cursor = await self._purge(decode_purge(exchange.query))
        log.info("%d tasks were purged on request", purged)
        await exchange.answer_json(200, {"purged": purged, "next": cursor})

    async def _purge(self, query: PurgeQuery) -> tuple[int, str]:
        count, cursor = 0, query.cursor
        for _ in range(_PURGE_STEPS):
            step = await self._queue.purge(
                query.state, query.older_than_s, query.tenant or None, cursor
            )
            count, cursor = count + step.count, step.next
            if not cursor:
                break
        return count, cursor

    async def _tenant(self, exchange: Exchange) -> str | None:
        """The tenant whose tasks are the caller's; None: every tenant's are."""
        identity = await self._identify(exchange)
        return None if self._is_admin(exchange) else identity.tenant

    def _check_admin(self, exchange: Exchange, what: str) -> None:
        if not self._is_admin(exchange):
            raise Blocked(
                f"Only an admin key (admission.admin_keys) may {what}.", code="admin_required"
            )


def shown(view: TaskView) -> dict[str, Any]:
    """A task as callers see it here: times in Unix seconds, null where there is none yet."""
    fields = asdict(view)
    for name in _TIMES:
        fields[name] = fields[name] or None
    for name in _INNER:
        del fields[name]
    error = {"code": view.error_code, "message": view.error_message}
    return {"object": "task", **fields, "error": error if view.error_code else None}


@contextmanager
def _redis() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise Overloaded(
            "Tasks cannot be reached at the moment.", code="tasks_unavailable", retry_after_s=1.0
        ) from error


def _no_such(task_id: str) -> TaskNotFound:
    return TaskNotFound(f"There is no task {task_id[:64]!r}; it may have been forgotten")

"""The routes of work that is done later: submitted, asked for, followed, cancelled."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import parse_qs

import msgspec

from serve_app.admission.caller import Caller
from serve_app.core.errors import BadRequest, Overloaded
from serve_app.core.job import Job
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.http import Exchange
from serve_app.ingress.lookout import Lookout, Mark
from serve_app.ingress.router import Route
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import ENDED, NewTask, Submitted, TaskEvent, TaskQueue, TaskView
from serve_app.tasks.errors import TaskNotFound
from serve_app.tasks.shown import shown
from serve_app.wire import background as wire
from serve_app.wire.checks import whole_number
from serve_app.wire.shapes import Shapes

KIND: Final = "job"
AGENT: Final = "/agent/chat"

_KEPT_HEADERS: Final = ("cache-control", "x-serve-app-cache-tags")
"""Those that mean something to the work."""
_HEARTBEAT_S: Final = 15.0
_STREAM_S: Final = 280.0
"""Longest stream of events; its reader goes on where it was (`Last-Event-ID`)."""
_AWAY_S: Final = 1.0
_SUBMIT_S: Final = 1.0
"""So long Redis may be away without a caller hearing of it."""
_SUBMIT_AGAIN_S: Final = 0.25

_pack = msgspec.msgpack.encode


class BackgroundRoutes:
    """Submissions and what came of them.

    Args:
        check_webhook: raises `BadRequest` for an address that is told nothing.
    """

    def __init__(
        self,
        clerk: Clerk,
        queue: TaskQueue,
        shapes: Shapes,
        check_webhook: Callable[[str], None],
    ) -> None:
        self._clerk = clerk
        self._queue = queue
        self._shapes = shapes
        self._check_webhook = check_webhook
        self._lookout = Lookout(queue)

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/agent/async", self.submit_message),
            Route("POST", "/v1/tasks", self.submit_request),
            Route("GET", "/agent/result/{id}", self.result),
            Route("GET", "/agent/events/{id}", self.events),
            Route("POST", "/agent/tasks/{id}/cancel", self.cancel),
        ]

    async def close(self) -> None:
        await self._lookout.close()

    # -------------------------------------------------------------- submitting

    async def submit_message(self, exchange: Exchange) -> None:
        """POST /agent/async: a message to the agent, answered later."""
        caller = await self._clerk.admit_to_queue(exchange)
        body = await self._clerk.body(exchange)
        asked = wire.decode(body, wire.AsyncRequest)
        await self._submit(exchange, caller, AGENT, asked.body(), asked, body)

    async def submit_request(self, exchange: Exchange) -> None:
        """POST /v1/tasks: a request of any API that asks a model, answered later."""
        caller = await self._clerk.admit_to_queue(exchange)
        body = await self._clerk.body(exchange)
        asked = wire.decode(body, wire.TaskRequest)
        if self._shapes.at(asked.path) is None:
            known = ", ".join(self._shapes.paths)
            raise BadRequest(f"'path' is {asked.path[:80]!r}; one of {known}", param="path")
        await self._submit(exchange, caller, asked.path, bytes(asked.body), asked, body)

    async def _submit(
        self,
        exchange: Exchange,
        caller: Caller,
        path: str,
        body: bytes,
        terms: wire.TaskTerms,
        asked: bytes,
    ) -> None:
        """
        Args:
            path: of what is to be done, with the `body` that it would get over HTTP.
            asked: the whole submission: another one under the same idempotency key is refused.
        """
        caller.check_path(path)
        if terms.webhook is not None:
            self._check_webhook(terms.webhook)
        shape = self._shapes.at(path)
        assert shape is not None
        shape.decode(body)  # what cannot be done is refused now, and not when nobody looks
        job = Job(
            path=path,
            body=body,
            key=caller.digest.hex(),
            request_id=exchange.request_id,
            priority="interactive" if terms.priority == "high" else "batch",
            headers=_kept_headers(exchange),
            tenant=caller.identity.tenant,
            trace=exchange.trail.place,
        )
        done = await self._put_in(_new(exchange, caller, job, terms, asked))
        answer = {"task_id": done.view.id, "status": done.view.state}
        await exchange.answer_json(202, answer)

    async def _put_in(self, new: NewTask) -> Submitted:
        """Once, however often the answer is lost: the task has its name already."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _SUBMIT_S
        while True:
            try:
                return await self._queue.submit(new)
            except StoreUnavailable as error:
                if loop.time() > give_up_at:
                    raise _away() from error
            await asyncio.sleep(_SUBMIT_AGAIN_S)

    # ----------------------------------------------------------------- asking

    async def result(self, exchange: Exchange) -> None:
        """GET /agent/result/{id}: what came of it; with `wait_s` as soon as it is there."""
        tenant, wait_s = self._tenant(exchange), _wait_s(exchange.query)
        view = await self._found(tenant, exchange.params["id"])
        if wait_s:
            view = await self._ended(tenant, view, wait_s)
        await exchange.answer_json(200, shown(view))

    async def cancel(self, exchange: Exchange) -> None:
        """POST /agent/tasks/{id}/cancel: it ends as it is; one that has ended stays."""
        tenant = self._tenant(exchange)
        view = await self._found(tenant, exchange.params["id"])
        try:
            view = await self._queue.cancel(tenant, view.id)
        except StoreUnavailable as error:
            raise _away() from error
        await exchange.answer_json(200, shown(view))

    def _tenant(self, exchange: Exchange) -> str | None:
        """Whose tasks the caller may see; None: everybody's (an admin)."""
        if self._clerk.admin(exchange):
            return None
        return self._clerk.known(exchange).tenant

    async def _found(self, tenant: str | None, task_id: str) -> TaskView:
        try:
            view = await self._queue.get(tenant, task_id)
        except StoreUnavailable as error:
            raise _away() from error
        if view is None or view.kind != KIND:
            raise TaskNotFound(f"There is no task {task_id[:80]!r}", param="id")
        return view

    async def _ended(self, tenant: str | None, view: TaskView, wait_s: float) -> TaskView:
        """The task when it has ended, or as it is after so long."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + wait_s
        while view.state not in ENDED and (left_s := give_up_at - loop.time()) > 0:
            await self._lookout.changed(view.id, Mark.of(view), left_s)
            view = await self._found(tenant, view.id)
        return view

    # --------------------------------------------------------------- following

    async def events(self, exchange: Exchange) -> None:
        """GET /agent/events/{id}: what happens to it, while it happens, from the event after
        `Last-Event-ID` on."""
        tenant = self._tenant(exchange)
        view = await self._found(tenant, exchange.params["id"])
        after = (exchange.header(b"last-event-id") or "").strip()
        first = await self._told(tenant, view.id, after)
        await exchange.answer_stream(self._follow(tenant, view, first, after), [])

    async def _told(self, tenant: str | None, task_id: str, after: str) -> list[TaskEvent]:
        try:
            return await self._queue.events(tenant, task_id, after)
        except StoreUnavailable as error:
            raise _away() from error

    async def _follow(
        self, tenant: str | None, view: TaskView, events: list[TaskEvent], after: str
    ) -> AsyncIterator[bytes]:
        """Events as they come, a comment when none does; ends after the last one there is."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _STREAM_S
        yield b": follows\n\n"
        while loop.time() < give_up_at:
            mark = Mark.of(view)
            while events:
                yield b"".join(map(_event, events))
                after = events[-1].id
                if events[-1].kind == "end":
                    return
                events = await self._told(tenant, view.id, after)
            if view.state in ENDED:  # read to its end, and its last event is gone
                return
            if not await self._lookout.changed(view.id, mark, _HEARTBEAT_S):
                yield b": still there\n\n"
            try:
                view = await self._found(tenant, view.id)
                events = await self._told(tenant, view.id, after)
            except Overloaded:  # Redis is away; the task is not
                yield b": still there\n\n"
                await asyncio.sleep(_AWAY_S)


def _kept_headers(exchange: Exchange) -> dict[str, str]:
    found = {name: exchange.header(name.encode()) for name in _KEPT_HEADERS}
    return {name: value for name, value in found.items() if value is not None}


def _new(
    exchange: Exchange, caller: Caller, job: Job, terms: wire.TaskTerms, asked: bytes
) -> NewTask:
    identity = caller.identity
    key = wire.idempotency_key(exchange.header(b"idempotency-key"))
    digest = hashlib.sha256(exchange.path.encode() + b"\n" + asked).hexdigest()
    return NewTask(
        kind=KIND,
        payload=_pack(job),
        tenant=identity.tenant,
        user=identity.user,
        key_id=identity.key_id,
        priority=terms.priority,
        delay_s=terms.delay_s,
        soft_limit_s=terms.soft_limit_s,
        max_retries=terms.max_retries,
        idempotency_key=key,
        idempotency_digest=digest if key else "",
        webhook=terms.webhook or "",
        label=job.path,
        task_id=f"task_{secrets.token_hex(12)}",
    )


def _event(event: TaskEvent) -> bytes:
    """As `text/event-stream`; the data of all is JSON, which has no line ends of its own."""
    data = event.data or b"{}"
    if event.kind == "end":
        data = msgspec.json.encode({"status": data.decode("ascii", "replace")})
    elif event.kind == "restart":
        data = b"{}"
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.id.encode(), event.kind.encode(), data)


def _wait_s(query: bytes) -> float:
    """Seconds that a caller wants to wait for a result.

    Raises:
        BadRequest: it is no number of them.
    """
    values = parse_qs(query.decode("ascii", "replace"), keep_blank_values=True).get("wait_s")
    if not values or values[-1] == "0":
        return 0.0
    return float(whole_number(values[-1], "wait_s", wire.MAX_WAIT_S))


def _away() -> Overloaded:
    return Overloaded(
        "Tasks cannot be reached at the moment.", code="queue_unavailable", retry_after_s=1.0
    )

"""Background responses on their way to a worker: first a record that they will be, then a task."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from serve_app.admission.caller import Caller
from serve_app.core.errors import Conflict, Overloaded
from serve_app.core.job import Job
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.http import Exchange
from serve_app.ingress.priority import HEADER, priority_of
from serve_app.sessions.responses import StoredResponse
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import NewTask, Submitted, TaskQueue
from serve_app.wire.responses.request import Asked
from serve_app.work.jobs import KIND
from serve_app.work.response_job import NAME, PATH
from serve_app.work.responses import Responding, Wanted, task_of

_TRIES: Final = 4
_AGAIN_S: Final = 0.25

_pack = msgspec.msgpack.encode


class Submission(Struct, frozen=True):
    """A request for a background response."""

    body: bytes
    asked: Asked
    idempotency_key: str = ""


class Later:
    """Hands responses to the queue."""

    def __init__(self, clerk: Clerk, responding: Responding, queue: TaskQueue) -> None:
        self._clerk = clerk
        self._responding = responding
        self._queue = queue

    async def submit(self, exchange: Exchange, given: Submission) -> StoredResponse:
        """The record of a response that a worker is going to make.

        Raises:
            Conflict: its idempotency key stands for a response that is gone.
            GatewayError: it cannot be made, or not be queued.
        """
        caller = await self._clerk.admit_to_queue(exchange)
        tenant = caller.identity.tenant
        wanted = await self._responding.prepare(tenant, given.asked)
        wanted.task_id = task_of(wanted.id)
        new = self._new(exchange, caller, given, wanted)
        head = wanted.shape.terms.head("queued", given.asked.fields.model)
        record = await self._responding.announce(tenant, wanted, head)
        try:
            done = await self._put_in(new)
        except BaseException:
            await self._forget(tenant, record.id)
            raise
        if done.is_new:
            return record
        await self._forget(tenant, record.id)
        return await self._known(tenant, done)

    def _new(
        self, exchange: Exchange, caller: Caller, given: Submission, wanted: Wanted
    ) -> NewTask:
        identity, key, body = caller.identity, given.idempotency_key, given.body
        priority = priority_of(exchange.header(HEADER))
        job = Job(
            path=PATH,
            body=body,
            key=caller.digest.hex(),
            request_id=exchange.request_id,
            priority=priority,
            headers={NAME: wanted.id},
            tenant=identity.tenant,
            trace=exchange.trail.place,
        )
        return NewTask(
            kind=KIND,
            payload=_pack(job),
            tenant=identity.tenant,
            user=identity.user,
            key_id=identity.key_id,
            priority="low" if priority == "batch" else "normal",
            idempotency_key=key,
            idempotency_digest=hashlib.sha256(PATH.encode() + body).hexdigest() if key else "",
            label=wanted.id,
            task_id=wanted.task_id,
        )

    async def _put_in(self, new: NewTask) -> Submitted:
        """Once, however often the answer is lost: the task has its name already."""
        for tries_left in reversed(range(_TRIES)):
            try:
                return await self._queue.submit(new)
            except StoreUnavailable as error:
                if not tries_left:
                    raise Overloaded(
                        "Tasks cannot be reached at the moment.",
                        code="queue_unavailable",
                        retry_after_s=1,
                    ) from error
            await asyncio.sleep(_AGAIN_S)
        raise AssertionError("the last try returns or raises")

    async def _known(self, tenant: str, done: Submitted) -> StoredResponse:
        """The response that was asked for before under the same idempotency key."""
        found = None
        with suppress(StoreUnavailable):
            found = await self._responding.responses.get(tenant, done.view.label)
        if found is None:
            raise Conflict(
                "The response that this idempotency key stands for is gone",
                param="idempotency-key",
                code="response_gone",
            )
        return found

    async def _forget(self, tenant: str, response_id: str) -> None:
        with suppress(StoreUnavailable):  # it goes away by itself
            await self._responding.responses.delete(tenant, response_id)

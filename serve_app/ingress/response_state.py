"""How far a response is: as it was stored, or as the task that makes it says."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from serve_app.core.errors import GatewayError, NotFound
from serve_app.core.job import Outcome
from serve_app.sessions.responses import Responses, StoredResponse
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import TaskQueue, TaskView
from serve_app.wire.responses.ids import RESPONSE_ID
from serve_app.wire.responses.making import error_of
from serve_app.work.responses import UNFINISHED, away

Json = dict[str, Any]

_RUNNING: Final = {"pending": "queued", "delayed": "queued", "running": "in_progress"}
_object = msgspec.json.Decoder(Json).decode
_outcome = msgspec.msgpack.Decoder(Outcome).decode
_encode = msgspec.json.encode


class TaskGone(GatewayError):
    code = "task_gone"


class ResponseState:
    """Looks responses up, by tenant."""

    def __init__(self, responses: Responses, queue: TaskQueue) -> None:
        self.responses = responses
        self.queue = queue

    async def record(self, tenant: str, response_id: str) -> StoredResponse:
        """What is stored.

        Raises:
            NotFound: nothing is, or it is another tenant's.
            Overloaded: Redis is away.
        """
        found = None
        if RESPONSE_ID.fullmatch(response_id) is not None:
            try:
                found = await self.responses.get(tenant, response_id)
            except StoreUnavailable as error:
                raise away() from error
        if found is None:
            raise NotFound(
                f"There is no response {response_id[:80]!r}: it was not stored, was deleted, or "
                "is over",
                param="response_id",
                code="response_not_found",
            )
        return found

    async def response(self, tenant: str, record: StoredResponse) -> bytes:
        """The response object as it is now.

        Raises:
            Overloaded: Redis is away.
        """
        if record.status not in UNFINISHED:
            return record.response
        try:
            view = await self.queue.get(tenant, record.task_id)
            record = await self.responses.get(tenant, record.id) or record
        except StoreUnavailable as error:
            raise away() from error
        if record.status not in UNFINISHED:  # it ended between the two looks
            return record.response
        return _as_told(record, view)

    async def cancel(self, tenant: str, record: StoredResponse) -> bytes:
        """End a response that is not over, and the task that makes it.

        Raises:
            Overloaded: Redis is away.
        """
        if record.status not in UNFINISHED:
            return record.response
        try:
            view = await self.queue.cancel(tenant, record.task_id)
            if view.state != "cancelled":  # it was over before
                return await self.response(tenant, record)
            await self._put(tenant, record, "cancelled")
        except NotFound:
            pass
        except StoreUnavailable as error:
            raise away() from error
        return await self.response(tenant, await self.record(tenant, record.id))

    async def _put(self, tenant: str, record: StoredResponse, status: str) -> None:
        made = msgspec.structs.replace(
            record, status=status, response=_encode(_with(record, status=status))
        )
        await self.responses.put(tenant, made, was=UNFINISHED)


def _as_told(record: StoredResponse, view: TaskView | None) -> bytes:
    """A response that is not over as far as its record says."""
    if view is None:
        gone = TaskGone("The task that made the response is gone")
        return _encode(_with(record, status="failed", error=error_of(gone)))
    if (status := _RUNNING.get(view.state)) is not None:
        return _encode(_with(record, status=status))
    if view.state == "succeeded" and view.result is not None:  # its record could not be stored
        return _outcome(view.result).body
    if view.state == "cancelled":
        return _encode(_with(record, status="cancelled"))
    failed = GatewayError(view.error_message or "It failed", code=view.error_code or None)
    return _encode(_with(record, status="failed", error=error_of(failed)))


def _with(record: StoredResponse, **changes: Any) -> Json:
    return {**_object(record.response), **changes}

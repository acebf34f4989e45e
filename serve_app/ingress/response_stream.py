"""The events of a background response, from any of them on, to any number of readers.

The worker's events come through its task's, numbered as it made them; before them stand two that
say that there is a response. A try that failed has told a part already: of those after it only
the end is told, under a number beyond all of the tries before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from serve_app.ingress.lookout import Lookout, Mark
from serve_app.ingress.response_state import ResponseState
from serve_app.sessions.responses import StoredResponse
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import ENDED, TaskEvent, TaskNotFound, TaskView
from serve_app.work.responses import UNFINISHED, away

Json = dict[str, Any]

_HEARTBEAT_S: Final = 15.0
_LONGEST_S: Final = 3600.0
_PER_TRY: Final = 1_000_000
"""Numbers of one try's events."""
_ENDS: Final = ("response.completed", "response.incomplete", "response.failed")

_object = msgspec.json.Decoder(Json).decode
_encode = msgspec.json.encode


class Numbering:
    """Turns events of tasks into those of the response.

    Args:
        after: number of the last event that the reader has; below 0: none.
    """

    def __init__(self, after: int) -> None:
        self.is_over = False
        self._after = after
        self._tries = 0

    def begun(self, response: Json) -> bytes:
        """The first two."""
        queued = {**response, "status": "queued"}
        created = self._numbered(0, {"type": "response.created", "response": queued})
        return created + self._numbered(1, {"type": "response.queued", "response": queued})

    def of(self, event: TaskEvent) -> bytes:
        """Those in one of the task's events."""
        if event.kind == "restart":
            self._tries += 1
        if event.kind != "progress":
            return b""
        frames = str(_object(event.data).get("delta", "")).split("\n\n")
        return b"".join([self._one(frame) for frame in frames if frame])

    def ended(self, response: Json) -> bytes:
        """The end, where the task did not tell it."""
        status = response["status"]
        kind = status if f"response.{status}" in _ENDS else "failed"
        number = max(self._after + 1, 2 + self._tries * _PER_TRY)
        told = b""
        if (error := response.get("error")) is not None:
            told = self._numbered(number, {**error, "type": "error", "error": error})
            number += 1
        return told + self._numbered(number, {"type": f"response.{kind}", "response": response})

    def _one(self, frame: str) -> bytes:
        event = _object(frame.partition("\ndata: ")[2])
        kind = event["type"]
        if kind == "response.created" or (self._tries and kind not in (*_ENDS, "error")):
            return b""
        self.is_over = self.is_over or kind in _ENDS
        return self._numbered(event["sequence_number"] + 1 + self._tries * _PER_TRY, event)

    def _numbered(self, number: int, event: Json) -> bytes:
        if number <= self._after:
            return b""
        self._after = number
        kind = event["type"].encode()
        return b"event: %b\ndata: %b\n\n" % (kind, _encode({**event, "sequence_number": number}))


class ResponseStream:
    """Follows background responses."""

    def __init__(self, state: ResponseState, lookout: Lookout) -> None:
        self._state = state
        self._lookout = lookout

    async def follow(
        self, tenant: str, record: StoredResponse, after: int = -1
    ) -> AsyncIterator[bytes]:
        """Events as they come, a comment when none does.

        Raises:
            Overloaded: Redis is away.
        """
        numbering = Numbering(after)
        if begun := numbering.begun(_object(record.response)):
            yield begun
        if record.task_id:
            async for piece in self._told(tenant, record, numbering):
                yield piece
        if not numbering.is_over:
            record = await self._state.record(tenant, record.id)
            response = _object(await self._state.response(tenant, record))
            if response["status"] not in UNFINISHED:
                yield numbering.ended(response)

    async def _told(
        self, tenant: str, record: StoredResponse, numbering: Numbering
    ) -> AsyncIterator[bytes]:
        """Until the end is told, or nothing more will be."""
        loop = asyncio.get_running_loop()
        give_up_at, at = loop.time() + _LONGEST_S, ""
        view = await self._view(tenant, record.task_id)
        while view is not None and loop.time() < give_up_at:
            mark, is_last = Mark.of(view), view.state in ENDED
            while events := await self._events(tenant, view.id, at):
                at = events[-1].id
                if piece := b"".join(map(numbering.of, events)):
                    yield piece
            if numbering.is_over or is_last:
                return
            if not await self._lookout.changed(view.id, mark, _HEARTBEAT_S):
                yield b": still there\n\n"
            view = await self._view(tenant, record.task_id)

    async def _view(self, tenant: str, task_id: str) -> TaskView | None:
        try:
            return await self._state.queue.get(tenant, task_id)
        except StoreUnavailable as error:
            raise away() from error

    async def _events(self, tenant: str, task_id: str, after: str) -> list[TaskEvent]:
        try:
            return await self._state.queue.events(tenant, task_id, after)
        except TaskNotFound:
            return []
        except StoreUnavailable as error:
            raise away() from error

"""Takes batches in and lets them be looked at and called off: what the front door asks for."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from serve_app.batches.openlist import Open, OpenList
from serve_app.batches.register import Register
from serve_app.core.batch import WINDOWS, Batch, BatchPage, BatchQuery, LineError, Terms
from serve_app.core.clock import Clock
from serve_app.core.errors import BadRequest, Conflict, GatewayError, NotFound
from serve_app.core.stored_file import FileRecord, new_id
from serve_app.files.files import Files
from serve_app.store.errors import StoreUnavailable
from serve_app.wire.batches import NewBatch
from serve_app.work.batch_flow import BatchFlow

_LOOK_FIRST_S: Final = 15.0
"""After a batch was made: by then its first task is in the queue, or never will be by itself."""


class BatchDesk:
    """Batches of callers. Every method may raise `StoreUnavailable`."""

    def __init__(
        self, register: Register, open_list: OpenList, files: Files, flow: BatchFlow, clock: Clock
    ) -> None:
        self._register = register
        self._open_list = open_list
        self._files = files
        self._flow = flow
        self._clock = clock

    async def create(
        self, new: NewBatch, *, tenant: str, user: str, key_id: str, key: str
    ) -> Batch:
        """Take a batch in; from then on it is not lost.

        Args:
            key: SHA-256 of the caller's key, in hexadecimal; empty: it has none.

        Raises:
            BadRequest: its input file is none.
            RateLimited, Overloaded: there are too many batches, or tasks.
        """
        record = await self._input(tenant, new.input_file_id)
        now = self._clock.wall()
        terms = Terms(
            id=new_id("batch_", now),
            tenant=tenant,
            input_file_id=record.id,
            endpoint=new.endpoint,
            window=new.window,
            created_at=int(now),
            expires_at=int(now) + WINDOWS[new.window],
            metadata=new.metadata,
            output_expire_s=new.output_expire_s,
            key=key,
            user=user,
            key_id=key_id,
        )
        # First, so that a process that dies before the end leaves a batch that is found.
        await self._open_list.put(Open(tenant, terms.id), now + _LOOK_FIRST_S)
        batch = await self._register.enter(terms)
        try:
            with suppress(StoreUnavailable):  # whoever looks after batches begins it then
                await self._flow.begin(batch)
        except GatewayError as error:  # the queue takes nothing more
            await self._register.fail(batch, [LineError(error.code, error.message)])
            raise
        return batch

    async def get(self, tenant: str, batch_id: str) -> Batch:
        """
        Raises:
            NotFound: there is no such batch.
        """
        return await self._register.get(tenant, batch_id)

    async def page(self, tenant: str, query: BatchQuery) -> BatchPage:
        return await self._register.page(tenant, query)

    async def cancel(self, tenant: str, batch_id: str) -> Batch:
        """Let no more of a batch's requests be made; what is done is delivered.

        Raises:
            NotFound: there is no such batch.
            Conflict: it is over, or nearly.
        """
        batch = await self._register.get(tenant, batch_id)
        had = await self._register.move(batch, ("validating", "in_progress"), "cancelling")
        if had in ("finalizing", "completed", "expired", "failed"):
            raise Conflict(f"A batch that is {had} cannot be cancelled", code="batch_not_running")
        return await self._register.get(tenant, batch_id)

    async def _input(self, tenant: str, file_id: str) -> FileRecord:
        try:
            record = await self._files.get(tenant, file_id)
        except NotFound as error:
            raise BadRequest(error.message, param="input_file_id", code="file_not_found") from None
        if record.purpose != "batch":
            raise BadRequest(
                f"The file's purpose is {record.purpose!r}; a batch needs one of 'batch'",
                param="input_file_id",
                code="invalid_purpose",
            )
        most = self._register.policy.max_input_bytes
        if record.bytes > most:
            raise BadRequest(
                f"The file has {record.bytes} bytes; a batch's has at most {most}",
                param="input_file_id",
                code="file_too_large",
            )
        return record

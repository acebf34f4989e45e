"""A file on its way in: its bytes counted and digested while they are written."""

from __future__ import annotations

import hashlib
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from serve_app.core.errors import Blocked, TooLarge
from serve_app.core.stored_file import FileRecord
from serve_app.files import names
from serve_app.files.blobs import PIECE, Blobs
from serve_app.files.due import Due, DueList
from serve_app.files.register import Register


class Incoming:
    """Use it in an `async with`: a file that is not kept before its end never was.

    Args:
        record: what is known of the file before.
        abandoned_at: when it is taken for given up (Unix seconds) unless it is kept before.
    """

    def __init__(
        self,
        record: FileRecord,
        blobs: Blobs,
        register: Register,
        due: DueList,
        *,
        abandoned_at: float,
        most_bytes: int,
        most_of_tenant: int,
    ) -> None:
        self._record = record
        self._blobs = blobs
        self._blob = names.content(record.tenant, record.id, record.blob)
        self._writing = blobs.writing(self._blob)
        self._register = register
        self._due = due
        self._own = Due(record.tenant, record.id, record.blob)
        self._abandoned_at = abandoned_at
        self._most_bytes = most_bytes
        self._most_of_tenant = most_of_tenant
        self._digest = hashlib.sha256()
        self.bytes = 0

    async def __aenter__(self) -> Self:
        # First, so that what a dead process leaves is found.
        await self._due.put(self._own, self._abandoned_at)
        await self._writing.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._writing.__aexit__(kind, error, trace)

    async def write(self, data: bytes) -> None:
        """
        Raises:
            TooLarge: it has become more than a file may be.
        """
        self.bytes += len(data)
        if self.bytes > self._most_bytes:
            raise TooLarge(
                f"The file has more than {self._most_bytes} bytes", code="file_too_large"
            )
        for at in range(0, len(data), PIECE):
            self._digest.update(data[at : at + PIECE])
        await self._writing.write(data)

    async def keep(self, *, filename: str, purpose: str, expires_at: int) -> FileRecord:
        """All of it has come: from now on it is there.

        Args:
            expires_at: Unix seconds; 0: it stays until it is deleted.

        Returns:
            The file's record: that of whoever was first, where it has been received twice.

        Raises:
            Blocked: the tenant has too much.
        """
        await self._writing.keep()
        record = replace(
            self._record,
            filename=filename,
            purpose=purpose,
            bytes=self.bytes,
            sha256=self._digest.hexdigest(),
            expires_at=expires_at,
        )
        try:
            kept = await self._register.enter(record, self._most_of_tenant)
        except Blocked:
            await self._give_up()
            raise
        if kept.blob != record.blob:
            await self._give_up()
        elif kept.expires_at:
            await self._due.put(self._own, kept.expires_at)
        else:
            await self._due.take_off(self._own)
        return kept

    async def _give_up(self) -> None:
        await self._blobs.delete(self._blob)
        await self._due.take_off(self._own)

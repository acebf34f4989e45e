"""Stored files as the rest of the house sees them: take in, find, read, delete."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from typing import Any, Final

from serve_app.config.batch_policy import FilesPolicy
from serve_app.core.clock import Clock
from serve_app.core.stored_file import FilePage, FileQuery, FileRecord, new_id
from serve_app.files import names
from serve_app.files.blobs import Blobs
from serve_app.files.due import Due, DueList
from serve_app.files.incoming import Incoming
from serve_app.files.register import Register
from serve_app.store.client import Store

SLACK_S: Final = 3600.0
"""An upload is taken for given up so long after its time is over: clocks may differ."""


class Files:
    """Files by tenant. Every method may raise `StoreUnavailable` or `OSError`.

    Args:
        blobs: where content is.
        policy: what may be stored.
    """

    def __init__(self, blobs: Blobs, store: Store, policy: FilesPolicy, clock: Clock) -> None:
        self._blobs = blobs
        self._register = Register(store, clock)
        self._due = DueList(store)
        self._clock = clock
        self.policy = policy

    def reconfigure(self, policy: FilesPolicy) -> None:
        """Another policy for what comes."""
        self.policy = policy

    def receive(self, tenant: str, file_id: str = "") -> Incoming:
        """A file that is to come.

        Args:
            file_id: its name, if it has one already; it is then stored once, however often it is
                received, and may be of any size.
        """
        now, policy = self._clock.wall(), self.policy
        record = FileRecord(
            id=file_id or new_id("file-", now),
            tenant=tenant,
            filename="",
            purpose="",
            bytes=0,
            sha256="",
            created_at=int(now),
            blob=secrets.token_hex(10),
        )
        return Incoming(
            record,
            self._blobs,
            self._register,
            self._due,
            abandoned_at=now + policy.upload_s + SLACK_S,
            most_bytes=_NO_END if file_id else policy.max_file_bytes,
            most_of_tenant=_NO_END if file_id else policy.max_tenant_bytes,
        )

    def expiry(self, seconds: int | None) -> int:
        """When a file of now expires, in Unix seconds; 0: never.

        Args:
            seconds: what its owner says; None: nothing, the policy says it.
        """
        kept_s = self.policy.expire_s if seconds is None else seconds
        return 0 if kept_s is None else int(self._clock.wall()) + kept_s

    async def get(self, tenant: str, file_id: str) -> FileRecord:
        """
        Raises:
            NotFound: there is no such file, or no more.
        """
        return await self._register.get(tenant, file_id)

    async def page(self, tenant: str, query: FileQuery) -> FilePage:
        return await self._register.page(tenant, query)

    def read(
        self, record: FileRecord, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The content, or a part of it, in pieces. Close it.

        Raises:
            FileNotFoundError: somebody deleted it meanwhile.
        """
        name = names.content(record.tenant, record.id, record.blob)
        return self._blobs.read(name, start, end)

    async def delete(self, tenant: str, file_id: str) -> None:
        """Delete a file, everywhere.

        Raises:
            NotFound: there is no such file.
        """
        record = await self._register.get(tenant, file_id)
        own = Due(tenant, file_id, record.blob)
        # First, so that a process that dies here leaves no content that nobody knows of.
        await self._due.put(own, self._clock.wall())
        await self._register.drop(record)
        await self._forget(own)

    async def clean(self, most: int) -> int:
        """Delete content of files that have expired, were given up, or are of no file; `most` of
        them. How many there were."""
        due = await self._due.before(self._clock.wall(), most)
        for one in due:
            await self._clean(one)
        return len(due)

    async def _clean(self, due: Due) -> None:
        record = await self._register.find(due.tenant, due.thing) if due.blob else None
        if record is None or record.blob != due.blob:
            await self._forget(due)
        elif not record.expires_at:
            await self._due.take_off(due)
        elif not record.is_over(self._clock.wall()):
            await self._due.put(due, record.expires_at)
        else:
            await self._register.drop(record)
            await self._forget(due)

    async def _forget(self, due: Due) -> None:
        place = names.folder(due.tenant, due.thing)
        await self._blobs.delete(f"{place}/{due.blob}" if due.blob else place)
        await self._due.take_off(due)

    def close(self) -> None:
        self._blobs.close()


_NO_END: Final = 1 << 62


def blobs(url: str, options: dict[str, Any], threads: int, local: str) -> Blobs:
    """Where content is kept.

    Args:
        url: `local`, or an address of fsspec.
        local: the folder that `local` means.
    """
    return Blobs(local if url == "local" else url, options, threads)

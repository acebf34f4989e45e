"""What the shards of a batch write before it is joined: blobs of no file, deleted together."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from serve_app.core.clock import Clock
from serve_app.files import names
from serve_app.files.blobs import Blobs, Writing
from serve_app.files.due import Due, DueList
from serve_app.store.client import Store

_LATE_S: Final = 86_400.0


class Parts:
    """Parts of batches. Every method may raise `StoreUnavailable` or `OSError`."""

    def __init__(self, blobs: Blobs, store: Store, clock: Clock) -> None:
        self._blobs = blobs
        self._due = DueList(store)
        self._clock = clock

    async def promise(self, tenant: str, batch_id: str, until: float) -> None:
        """Parts of a batch are going to be written; after `until` (Unix seconds) nobody needs
        them. To be called before the first is."""
        await self._due.put(Due(tenant, batch_id), until)

    def writing(self, tenant: str, batch_id: str, name: str) -> Writing:
        """Writes a part; use it in an `async with`. No two attempts may have one name."""
        return self._blobs.writing(names.part(tenant, batch_id, name))

    def read(self, tenant: str, batch_id: str, name: str) -> AsyncGenerator[bytes, None]:
        """A part in pieces. Close it.

        Raises:
            FileNotFoundError: there is none, or no more.
        """
        return self._blobs.read(names.part(tenant, batch_id, name))

    async def delete(self, tenant: str, batch_id: str, name: str) -> None:
        """Delete one part; it need not be there."""
        await self._blobs.delete(names.part(tenant, batch_id, name))

    async def forget(self, tenant: str, batch_id: str) -> None:
        """Delete all parts of a batch, and a day later once more: a worker that was taken for dead
        may write another one yet."""
        await self._due.put(Due(tenant, batch_id), self._clock.wall() + _LATE_S)
        await self._blobs.delete(names.folder(tenant, batch_id))

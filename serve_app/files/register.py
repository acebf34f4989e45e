"""The records of files, by tenant: one line of Redis for each."""

from __future__ import annotations

from typing import Final, cast

import msgspec

from serve_app.core.clock import Clock
from serve_app.core.errors import Blocked, NotFound
from serve_app.core.stored_file import FilePage, FileQuery, FileRecord
from serve_app.store import keys
from serve_app.store.client import Store

_PORTION: Final = 1000
"""Records that are read at a time: about 300 KB, some milliseconds of Redis's time."""

_encode = msgspec.msgpack.Encoder().encode
_record = msgspec.msgpack.Decoder(FileRecord)


class Register:
    """Records of files. Every method may raise `StoreUnavailable`.

    Args:
        clock: says which files have expired: they are gone for callers before they are deleted.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def enter(self, record: FileRecord, most_bytes: int) -> FileRecord:
        """Enter a file; the record that was there, if there was one of its id.

        Args:
            most_bytes: that all files of the tenant may have.

        Raises:
            Blocked: they would have more.
        """
        args = (record.id, _encode(record), record.bytes, most_bytes)
        reply = await self._store.script("file_put", _keys(record), args)
        if reply == b"full":
            raise Blocked(
                f"Your files would have more than {most_bytes} bytes together; delete some",
                code="storage_full",
            )
        return _record.decode(cast("bytes", reply))

    async def find(self, tenant: str, file_id: str) -> FileRecord | None:
        """A record, also of a file that has expired and is not deleted yet."""
        [stored] = await self._store.pipeline([("HGET", keys.files(tenant, "records"), file_id)])
        return None if stored is None else _record.decode(stored)

    async def get(self, tenant: str, file_id: str) -> FileRecord:
        """
        Raises:
            NotFound: there is no such file, or no more.
        """
        record = await self.find(tenant, file_id)
        if record is None or record.is_over(self._clock.wall()):
            raise NotFound(f"There is no file {file_id[:80]!r}", param="id", code="file_not_found")
        return record

    async def page(self, tenant: str, query: FileQuery) -> FilePage:
        """Files in the order in which they were stored."""
        found: list[FileRecord] = []
        after, limit = query.after, query.limit + 1
        while len(found) < limit:
            ids = await self._ids(tenant, query, after, min(limit, _PORTION))
            found += await self._alive(tenant, ids)
            if len(ids) < min(limit, _PORTION):
                break
            after = ids[-1].decode()
        return FilePage(found[: query.limit], len(found) > query.limit)

    async def drop(self, record: FileRecord) -> None:
        """Forget a file; it need not be there."""
        await self._store.script("file_drop", _keys(record), (record.id, record.bytes))

    async def _ids(self, tenant: str, query: FileQuery, after: str, count: int) -> list[bytes]:
        kind = f"ids={query.purpose}" if query.purpose else "ids"
        key, limit = keys.files(tenant, kind), ("LIMIT", 0, count)
        if query.newest_first:
            command = ("ZREVRANGEBYLEX", key, f"({after}" if after else "+", "-", *limit)
        else:
            command = ("ZRANGEBYLEX", key, f"({after}" if after else "-", "+", *limit)
        [ids] = await self._store.pipeline([command])
        return cast("list[bytes]", ids)

    async def _alive(self, tenant: str, ids: list[bytes]) -> list[FileRecord]:
        if not ids:
            return []
        [stored] = await self._store.pipeline([("HMGET", keys.files(tenant, "records"), *ids)])
        records = [_record.decode(one) for one in stored if one is not None]
        now = self._clock.wall()
        return [record for record in records if not record.is_over(now)]


def _keys(record: FileRecord) -> list[str]:
    kinds = ("records", "ids", f"ids={record.purpose}", "bytes")
    return [keys.files(record.tenant, kind) for kind in kinds]

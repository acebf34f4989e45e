"""When content is to be looked after: nothing is written that is not in this list before."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from serve_app.store import keys
from serve_app.store.client import Store

_encode: Final = msgspec.msgpack.Encoder().encode


class Due(Struct, frozen=True, array_like=True):
    """Content of a file or of a batch, by its id."""

    tenant: str
    thing: str
    blob: str = ""
    """What one attempt wrote; empty: all there is of it."""


_due: Final = msgspec.msgpack.Decoder(Due)


class DueList:
    """Content that somebody has to look at, by when. Every method may raise `StoreUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, due: Due, at: float) -> None:
        """Look at it then (Unix seconds), in the place of what was said before."""
        await self._store.pipeline([("ZADD", keys.files_due(), f"{at:.3f}", _encode(due))])

    async def take_off(self, due: Due) -> None:
        """There is nothing to look after any more."""
        await self._store.pipeline([("ZREM", keys.files_due(), _encode(due))])

    async def before(self, now: float, most: int) -> list[Due]:
        """What is due, the longest overdue first."""
        command = ("ZRANGEBYSCORE", keys.files_due(), "-inf", f"{now:.3f}", "LIMIT", 0, most)
        [members] = await self._store.pipeline([command])
        return [_due.decode(member) for member in members]

"""The batches that are not over, of all tenants: somebody looks after each now and then."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from serve_app.store import keys
from serve_app.store.client import Store


class Open(Struct, frozen=True, array_like=True):
    """One of them."""

    tenant: str
    batch_id: str


_encode: Final = msgspec.msgpack.Encoder().encode
_open: Final = msgspec.msgpack.Decoder(Open)


class OpenList:
    """Batches by when they are looked after next. Every method may raise `StoreUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, one: Open, at: float) -> None:
        """Look after it then (Unix seconds), in the place of what was said before."""
        await self._store.pipeline([("ZADD", keys.batches_open(), f"{at:.3f}", _encode(one))])

    async def take_off(self, one: Open) -> None:
        """It is over."""
        await self._store.pipeline([("ZREM", keys.batches_open(), _encode(one))])

    async def before(self, now: float, most: int) -> list[Open]:
        """Those whose time has come, the longest overdue first."""
        command = ("ZRANGEBYSCORE", keys.batches_open(), "-inf", f"{now:.3f}", "LIMIT", 0, most)
        [members] = await self._store.pipeline([command])
        return [_open.decode(member) for member in members]

"""The batches that are not over, of all tenants: somebody looks after each now and then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from serve_app.store import keys
from serve_app.store.client import Store


class Open(Struct, frozen=True, array_like=True):
    """One of them."""

    tenant: str
    batch_id: str


MOST_LISTED: Final = 10_000
"""Batches that are listed, whether they are over or not: the newest."""

_AND: Final = "|"
"""Between the id of a batch and its tenant; no id has it."""

_encode: Final = msgspec.msgpack.Encoder().encode
_open: Final = msgspec.msgpack.Decoder(Open)


class OpenList:
    """Batches by when they are looked after next. Every method may raise `StoreUnavailable`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, one: Open, at: float) -> None:
        """Look after it then (Unix seconds), in the place of what was said before."""
        await self._store.pipeline(
            [
                ("ZADD", keys.batches_open(), f"{at:.3f}", _encode(one)),
                ("ZADD", keys.batches_all(), 0, f"{one.batch_id}{_AND}{one.tenant}"),
                ("ZREMRANGEBYRANK", keys.batches_all(), 0, -MOST_LISTED - 1),
            ]
        )

    async def take_off(self, one: Open) -> None:
        """It is over."""
        await self._store.pipeline([("ZREM", keys.batches_open(), _encode(one))])

    async def before(self, now: float, most: int) -> list[Open]:
        """Those whose time has come, the longest overdue first."""
        command = ("ZRANGEBYSCORE", keys.batches_open(), "-inf", f"{now:.3f}", "LIMIT", 0, most)
        [members] = await self._store.pipeline([command])
        return [_open.decode(member) for member in members]

    async def listed(self, after: str, most: int) -> list[Open]:
        """Those of all tenants, the newest first, over or not.

        Args:
            after: id of the last one before; empty: from the newest on.
        """
        start = f"({after}{_AND}" if after else "+"
        command = ("ZREVRANGEBYLEX", keys.batches_all(), start, "-", "LIMIT", 0, most)
        [members] = await self._store.pipeline([command])
        named = [member.decode().partition(_AND) for member in members]
        return [Open(tenant, batch_id) for batch_id, _, tenant in named]

    async def unlist(self, gone: Sequence[Open]) -> None:
        """They are kept no more."""
        names = [f"{one.batch_id}{_AND}{one.tenant}" for one in gone]
        if names:
            await self._store.pipeline([("ZREM", keys.batches_all(), *names)])

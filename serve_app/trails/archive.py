"""Where trails are kept: hashes in Redis, one for each five minutes.

A hash has a field for each trail, by tenant and request id, and one that says whose a request id
is, for admins, who may ask for any. So a second's trails are one command, and the whole hash goes
at once when it is too old. Each hash has a slot of its own in a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from serve_app.core.clock import Clock
from serve_app.store import keys
from serve_app.store.client import Argument, Command, Store
from serve_app.trails.document import Document, unpacked

BUCKET_S: Final = 300
_AT_ONCE: Final = 100
"""Trails in one command."""


class Entry(NamedTuple):
    """A trail to be kept."""

    tenant: str
    request_id: str
    kept: bytes


class Archive:
    """Puts trails away, and finds them.

    Args:
        keep_s: for how long, as it is at the moment.
    """

    def __init__(self, store: Store, clock: Clock, keep_s: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._keep_s = keep_s

    async def put(self, entries: Sequence[Entry]) -> None:
        """Keep trails. Doing it again changes nothing.

        Raises:
            StoreUnavailable: some may be kept.
        """
        key = keys.trails(self._bucket())
        for at in range(0, len(entries), _AT_ONCE):
            pairs: list[Argument] = []
            for tenant, request_id, kept in entries[at : at + _AT_ONCE]:
                pairs += (_field(tenant, request_id), kept, _owner(request_id), tenant)
            commands: list[Command] = [
                ("HSET", key, *pairs),
                ("EXPIRE", key, self._keep_s() + BUCKET_S),
            ]
            await self._store.pipeline(commands)

    async def find(self, tenant: str | None, request_id: str) -> Document | None:
        """The latest trail of a request.

        Args:
            tenant: whose it is; None: whoever asked last under this id.

        Raises:
            StoreUnavailable: it cannot be looked for.
        """
        if tenant is None:
            owner = await self._latest(_owner(request_id))
            if owner is None:
                return None
            tenant = owner.decode()
        kept = await self._latest(_field(tenant, request_id))
        return None if kept is None else unpacked(kept)

    async def _latest(self, field: str) -> bytes | None:
        """A field of the youngest hash that has it."""
        newest = self._bucket()
        buckets = range(newest, newest - self._keep_s() // BUCKET_S - 2, -1)
        found = await self._store.pipeline([("HGET", keys.trails(n), field) for n in buckets])
        return next((value for value in found if value is not None), None)

    def _bucket(self) -> int:
        return int(self._clock.wall()) // BUCKET_S


def _field(tenant: str, request_id: str) -> str:
    """No tenant can name another's: what is escaped has no `|`."""
    return f"trail|{keys.escape(tenant)}|{request_id}"


def _owner(request_id: str) -> str:
    return f"owner|{request_id}"

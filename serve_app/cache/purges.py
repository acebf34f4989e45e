"""Purges reach every replica: a short stream in Redis that all of them read every 0.4 s.

Redis gives each purge its time. What a replica did not hear while Redis was away it hears when
Redis is back; if that is no longer in the stream, or the stream is another one, the replica is
told that it lost track.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from serve_app.cache.barred import MOST
from serve_app.core.kept import Purge
from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable

log = logging.getLogger(__name__)

INTERVAL_S: Final = 0.4
AFTER_BUG_S: Final = 10.0

_BEGINNING: Final = b"0"
_FIELD: Final = b"purge"

Dated = tuple[Purge, float]
"""A purge and its time in Unix seconds, by Redis's clock."""

_Said = tuple[bytes, dict[bytes, bytes]]
"""An entry of the stream: its name, which begins with its time, and its fields."""

Heard = Callable[[Sequence[Dated], bool], Awaitable[None]]

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Purge).decode


class Purges:
    """Tells purges to all replicas, and hears theirs.

    Args:
        heard: takes new purges in their order; False with those that had been there before this
            replica looked for the first time.
        lost: is called when purges may have been missed.
    """

    def __init__(self, store: Store, heard: Heard, lost: Callable[[], None]) -> None:
        self._store = store
        self._heard = heard
        self._lost = lost
        self._position: bytes | None = None
        """The last purge that was heard."""
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen in the background; call it in the running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="cache purges")

    async def close(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    async def tell(self, purge: Purge) -> None:
        """Let every replica know, this one at once.

        Raises:
            StoreUnavailable: it is not known whether anybody will.
        """
        said = ("XADD", keys.cache_purges(), "MAXLEN", MOST, "*", _FIELD, _encode(purge))
        await self._store.pipeline([said])
        await self.catch_up()

    async def know(self) -> None:
        """Make sure that what was purged before is known.

        Raises:
            StoreUnavailable: it is not.
        """
        if self._position is None:
            await self.catch_up()

    async def catch_up(self) -> None:
        """Hear what is new.

        Raises:
            StoreUnavailable: nothing was heard.
        """
        async with self._looking:
            since = self._position or _BEGINNING
            look = ("XRANGE", keys.cache_purges(), since, "+", "COUNT", MOST + 1)
            [said] = await self._store.pipeline([look])
            await self._take(since, said)

    async def _take(self, since: bytes, said: Sequence[_Said]) -> None:
        """The stream from the last purge heard on, that one included if it is still there."""
        is_first = self._position is None
        if since == _BEGINNING:
            is_lost = len(said) >= MOST
        else:
            is_lost = not said or said[0][0] != since
            said = said if is_lost else said[1:]
        if is_lost and not is_first:
            log.warning("purges may have been missed: this process forgets its stored answers")
            self._lost()
        if said:
            await self._heard([_dated(name, fields) for name, fields in said], not is_first)
        # Only now: if this was cancelled, the next look hears it all again.
        self._position = said[-1][0] if said else _BEGINNING if is_lost else since

    async def _run(self) -> None:
        while True:
            try:
                with suppress(StoreUnavailable):
                    await self.catch_up()
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("purges could not be read")
                await asyncio.sleep(AFTER_BUG_S)
            await asyncio.sleep(INTERVAL_S)


def _dated(name: bytes, fields: dict[bytes, bytes]) -> Dated:
    """One entry of the stream; what cannot be understood purges everything."""
    at = int(name.partition(b"-")[0]) / 1000.0
    try:
        return _decode(fields.get(_FIELD, b"")), at
    except msgspec.MsgspecError:
        log.warning("a purge that cannot be read is taken for one of everything")
        return Purge(), at

"""The API keys that live in Redis, known to every replica: looked up in memory, heard of in 0.3 s.

At its start a replica reads all records; from then on a short stream tells it what changed. The
call that reads the stream also says that this replica lives, so that each knows how many there
are. What a replica knows stays valid while Redis is away. If it may have missed a change (the
stream is cut or another one), it reads everything again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from serve_app.admission.caller import Caller
from serve_app.admission.records import pack
from serve_app.admission.roll import Roll
from serve_app.core.clock import Clock
from serve_app.core.key_record import KeyRecord
from serve_app.store import keys
from serve_app.store.client import Argument, Store, StoreUnavailable

log = logging.getLogger(__name__)

INTERVAL_S: Final = 0.3
LIVES_S: Final = 3.0
"""How long after its last call a replica counts as living."""
AFTER_BUG_S: Final = 10.0

MOST_KEYS: Final = 100_000
"""Some 110 MB in every replica."""
MOST_CHANGES: Final = 1000
"""Changes that the stream keeps: who missed more reads everything."""
PAGE: Final = 100
"""Records or changes that are read at once."""

_READINGS: Final = 2
"""Of everything, in one look; a stream that is cut meanwhile is left to the next."""

_Change = tuple[bytes, Sequence[bytes]]
"""An entry of the stream: its name; names and values of its fields."""

Step = tuple[KeyRecord | None, KeyRecord | None]
"""A record before and after a change; None: it is not there."""


class KeysFull(Exception):
    """There are as many keys as there may be."""


class KeyDirectory:
    """Knows the keys of all replicas.

    Args:
        replica: names this process among all of them.
    """

    def __init__(self, store: Store, replica: str, clock: Clock) -> None:
        self._store = store
        self._replica = replica
        self._clock = clock
        self._roll = Roll()
        self._position: bytes | None = None
        """The last change that was heard of."""
        self._heard_at = float("-inf")
        self._ahead_s = clock.wall() - clock.monotonic()
        """Redis's clock less this process's monotonic one."""
        self._live = 1
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ what is known

    def find(self, digest: bytes) -> Caller | None:
        """Who has the key of a digest; no waiting."""
        return self._roll.find(digest)

    def get(self, key_id: str) -> KeyRecord | None:
        return self._roll.get(key_id)

    def records(self) -> list[KeyRecord]:
        return self._roll.records()

    def now(self) -> float:
        """Unix seconds by Redis's clock, as far as it is known: all replicas agree on it."""
        return self._clock.monotonic() + self._ahead_s

    @property
    def is_loaded(self) -> bool:
        """Whether every key was known at some time."""
        return self._heard_at != float("-inf")

    @property
    def stale_s(self) -> float:
        """Seconds since changes were last heard of; infinite if never."""
        return self._clock.monotonic() - self._heard_at

    @property
    def live_replicas(self) -> int:
        """How many replicas live, this one included; while Redis is away, how many did."""
        return self._live

    # ---------------------------------------------------------------- its life

    def start(self) -> None:
        """Begin to listen in the background; call it in the running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="api keys")

    async def close(self) -> None:
        """Stop, and be counted no more."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait([task])
        with suppress(StoreUnavailable):
            await self._store.pipeline([("ZREM", keys.api_keys("replicas"), self._replica)])

    async def _run(self) -> None:
        while True:
            try:
                with suppress(StoreUnavailable):
                    await self.catch_up()
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("changes of API keys could not be read")
                await asyncio.sleep(AFTER_BUG_S)
            await asyncio.sleep(INTERVAL_S)

    # ------------------------------------------------------------------ hearing

    async def catch_up(self) -> None:
        """Hear what is new.

        Raises:
            StoreUnavailable: nothing was heard; what was known is still.
        """
        async with self._turn:
            await self._catch_up()

    async def _catch_up(self) -> None:
        for _ in range(_READINGS):
            if self._position is None:
                await self._load()
            if await self._hear_changes():
                self._heard_at = self._clock.monotonic()
                return
        raise StoreUnavailable("changes of API keys are gone before they can be read")

    async def _hear_changes(self) -> bool:
        """Take the changes since the last one heard of; False: some may have been missed."""
        while (since := self._position) is not None:
            changes = await self._hear(since)
            if not changes or changes[0][0] != since:
                log.warning("changes of API keys may have been missed: all are read again")
                self._position = None
                return False
            self._roll.hear(map(_stored, changes[1:]))
            self._position = changes[-1][0]
            if len(changes) <= PAGE:
                return True
        return False

    async def _hear(self, since: bytes) -> Sequence[_Change]:
        now_ms, self._live, changes = await self._store.script(
            "keys_hear",
            [keys.api_keys("changes"), keys.api_keys("replicas")],
            [since, self._replica, int(LIVES_S * 1000), PAGE + 1],
        )
        self._ahead_s = now_ms / 1000.0 - self._clock.monotonic()
        found: Sequence[_Change] = changes
        return found

    async def _load(self) -> None:
        """Read every record, a page at a time; what changes meanwhile is in the stream."""
        newest = await self._hear(b"")
        roll, cursor = Roll(), 0
        while True:
            look = ("HSCAN", keys.api_keys("records"), cursor, "COUNT", PAGE)
            [[cursor, page]] = await self._store.pipeline([look])
            roll.hear(page.items())
            if not cursor:
                break
        self._roll, self._position = roll, newest[0][0]

    # ------------------------------------------------------------------ telling

    async def put(self, steps: Iterable[Step]) -> bool:
        """Change records, all or none; known here at once and everywhere within a second.

        Returns:
            False if one of them is not what it was before; look again.

        Raises:
            KeysFull: there is no room for a new one.
            StoreUnavailable: it is not known whether anything changed.
        """
        steps = tuple(steps)
        args: list[Argument] = [MOST_KEYS, MOST_CHANGES]
        for before, after in steps:
            args += _told(before, after)
        async with self._turn:
            said = await self._store.script(
                "keys_put", [keys.api_keys("records"), keys.api_keys("changes")], args
            )
            if said == b"ok":
                self._know(steps)
        if said == b"full":
            raise KeysFull(f"there are {MOST_KEYS} API keys already")
        return bool(said == b"ok")

    def _know(self, steps: Iterable[Step]) -> None:
        for before, after in steps:
            if after is not None:
                self._roll.take(after)
            elif before is not None:
                self._roll.forget(before.id)


def _told(before: KeyRecord | None, after: KeyRecord | None) -> list[Argument]:
    named = after or before
    assert named is not None, "a step is from something or to something"
    packed = b"" if after is None else pack(after)
    return [named.id, 0 if before is None else before.version, packed]


def _stored(change: _Change) -> tuple[bytes, bytes]:
    """Id and packed record of a change."""
    fields = dict(zip(change[1][::2], change[1][1::2], strict=True))
    return fields.get(b"id", b""), fields.get(b"record", b"")

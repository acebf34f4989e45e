"""Takes what a process counted to Redis, where the totals of the service are, and reads them.

Counts go as differences, in numbered batches. A batch that may or may not have arrived is sent
again under its number, and Redis adds each number once: so the totals are exact, whoever stops
whenever. All is integers.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import Struct

from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable

GAUGES_S: Final = 6.0
"""So long the gauges of a process that was not heard of again count: shorter than its duties
(`store/duty.py`) are, so that what one tells for all is not told twice."""
MAX_FIELDS: Final = 20_000
"""Series that Redis keeps; what would be more is summed up as `other`."""
_BATCH: Final = 1500
"""Fields in one batch: about a millisecond of Redis's time."""
_MARK_S: Final = 7 * 86400
"""Longer than a batch that was applied can wait to hear of it."""

_RETRY_S: Final = 0.1

Counts = dict[str, int]
"""By field, see `fields.py`."""
Gauges = dict[str, float]

_pack = msgspec.msgpack.Encoder().encode
_unpack_gauges = msgspec.msgpack.Decoder(dict[str, float]).decode


class Shared(Struct, frozen=True):
    """What is known of the whole service."""

    totals: Counts
    examples: dict[str, bytes]
    gauges: list[Gauges]
    """Of each process that tells any."""
    is_complete: bool
    """False: Redis is away. These are the totals last read and what was counted here."""


class Sharing:
    """Adds the counts of this process to those of the others.

    Args:
        max_fields: see `MAX_FIELDS`.
    """

    def __init__(self, store: Store, *, max_fields: int = MAX_FIELDS) -> None:
        self._store = store
        self._max_fields = max_fields
        self._writer = secrets.token_hex(8)
        self._number = 0
        self._open: Counts = {}
        self._examples: dict[str, str] = {}
        self._sent: tuple[Counts, dict[str, str]] | None = None
        self._known: Counts = {}
        """The totals as they were last read, with what was added from here since."""
        self._lock = asyncio.Lock()
        self._gauges: Gauges = {}
        self.is_up = True
        """Whether Redis took what was sent last."""

    def add(self, field: str, count: int) -> None:
        self._open[field] = self._open.get(field, 0) + count

    def show(self, field: str, example: str) -> None:
        """Keep an example of a bucket, the newest of each."""
        self._examples[field] = example

    def tell(self, gauges: Gauges) -> None:
        """What the gauges of this process say from now on."""
        self._gauges = gauges

    async def push(self) -> bool:
        """Take all that was counted, and the gauges, to Redis. False: it is away, and they wait."""
        async with self._lock:
            return await self._pushed(is_read=False) is not None

    async def read(self) -> Shared:
        """What is known of the whole service, with all that was counted here."""
        async with self._lock:
            found = await self._pushed(is_read=True)
            if found is None:
                return Shared(self._here(), {}, [self._gauges], is_complete=False)
            shared = await asyncio.to_thread(_decoded, found)
            self._known = shared.totals.copy()
            return shared

    async def close(self, limit_s: float) -> bool:
        """Take the last of it to Redis, and the gauges away, for at most `limit_s` seconds. False:
        it was away until the end, and what waited is lost."""
        self._gauges = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s), self._lock:
                await self._push_at_last()
        return self._sent is None and not self._open

    async def _push_at_last(self) -> None:
        while await self._pushed(is_read=False, gauges=b"-") is None:  # noqa: ASYNC110
            await asyncio.sleep(_RETRY_S)

    def _here(self) -> Counts:
        """The totals as far as this process knows."""
        totals = self._known.copy()
        for counts in (self._open, {} if self._sent is None else self._sent[0]):
            _merge(totals, counts)
        return totals

    async def _pushed(self, *, is_read: bool, gauges: bytes | None = None) -> Any:
        """The reply to the last batch; None: Redis is away."""
        told = _pack(self._gauges) if gauges is None else gauges
        while True:
            self._take_batch()
            is_last = not self._open
            try:
                reply = await self._send(told if is_last else b"", is_read and is_last)
            except StoreUnavailable:
                self.is_up = False
                return None
            self.is_up = True
            _merge(self._known, self._sent[0] if self._sent else {})
            self._sent = None
            if is_last:
                return reply or ()

    def _take_batch(self) -> None:
        """Number what is sent next, unless something is under way."""
        if self._sent is not None:
            return
        if len(self._open) <= _BATCH:
            counts, self._open = self._open, {}
        else:
            counts = {field: self._open.pop(field) for field in list(self._open)[:_BATCH]}
        examples, self._examples = self._examples, {}
        self._sent = (counts, examples)
        self._number += 1

    async def _send(self, gauges: bytes, is_read: bool) -> Any:
        counts, examples = self._sent or ({}, {})
        where = [keys.metrics(kind) for kind in ("totals", "examples", "gauges")]
        return await self._store.script(
            "metrics",
            [*where, keys.metrics_writer(self._writer)],
            [
                self._writer,
                self._number,
                _pack([part for pair in counts.items() for part in pair]),
                _pack([part for pair in examples.items() for part in pair]),
                gauges,
                int(GAUGES_S * 1000),
                _MARK_S,
                self._max_fields,
                int(is_read),
            ],
        )


def _decoded(reply: tuple[list[bytes], list[bytes], list[bytes]]) -> Shared:
    totals, examples, gauges = reply
    return Shared(
        {field.decode(): int(total) for field, total in _pairs(totals)},
        {field.decode(): example for field, example in _pairs(examples)},
        [_unpack_gauges(told) for told in gauges],
        is_complete=True,
    )


def _merge(into: Counts, counts: Mapping[str, int]) -> None:
    for field, count in counts.items():
        into[field] = into.get(field, 0) + count


def _pairs(flat: list[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)

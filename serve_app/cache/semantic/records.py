"""What replicas tell each other about the questions of a partition: a log in Redis.

Whoever stores a question, finds its answer gone or compares an answer appends a record; everybody
reads on from where he stopped. A replica that starts reads the log from its beginning.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from serve_app.store import keys
from serve_app.store.client import Command, Store

log = logging.getLogger(__name__)

_READ: Final = 1000
"""Records in one read: about 2 MB."""

_LONGEST: Final = 3
"""Records kept for each question that a partition may have."""


class Added(Struct, frozen=True, tag="a", gc=False):
    """A question whose answer is stored under `fingerprint`."""

    fingerprint: str
    text: str
    vector: bytes
    """float16, dims of them."""
    expires_at: float
    """Unix seconds."""
    asked_at: float = 0.0
    aspects: bytes = b""
    model: str = ""
    backend: str = ""
    tags: tuple[str, ...] = ()
    size: int = 0
    """Bytes of the answer."""
    cost_micro_usd: int = 0


class Dropped(Struct, frozen=True, tag="d", gc=False):
    """Its answer is gone."""

    fingerprint: str


class Observed(Struct, frozen=True, tag="o", gc=False):
    """Its answer was compared with a fresh one for a question of that score."""

    fingerprint: str
    score: float
    same: bool


Record = Added | Dropped | Observed

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


class Log:
    """The log of one partition.

    Args:
        most: questions that the partition may have; the log is some times as long.

    Every method raises `StoreUnavailable`.
    """

    def __init__(self, store: Store, tenant: str, partition: str, embedder: str, most: int) -> None:
        self._store = store
        self._key = keys.semantic_log(tenant, partition, embedder)
        self._most = most * _LONGEST
        self._read_to = "-"

    async def append(self, records: Sequence[Record], life_s: int) -> None:
        """Add records; the log lives at least so long from now on."""
        commands: list[Command] = [
            ("XADD", self._key, "MAXLEN", "~", self._most, "*", "r", _encode(record))
            for record in records
        ]
        # NX begins the life of a log, GT only ever lengthens it.
        commands += [("EXPIRE", self._key, life_s, "NX"), ("EXPIRE", self._key, life_s, "GT")]
        await self._store.pipeline(commands)

    async def news(self) -> list[Record]:
        """Records since the last time, in order; all that there are."""
        records: list[Record] = []
        while True:
            start = self._read_to if self._read_to == "-" else f"({self._read_to}"
            [found] = await self._store.pipeline(
                [("XRANGE", self._key, start, "+", "COUNT", _READ)]
            )
            for entry, fields in found:
                self._read_to = entry.decode()
                if (record := _read(fields.get(b"r", b""))) is not None:
                    records.append(record)
            if len(found) < _READ:
                return records


def _read(stored: bytes) -> Record | None:
    try:
        record: Record = _decode(stored)
        return record
    except msgspec.MsgspecError:
        log.warning("a record of the semantic cache that cannot be read is left out")
        return None

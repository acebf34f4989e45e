"""The known API keys in memory: by digest for requests, by id for admins."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable

from serve_app.admission.caller import Caller, caller
from serve_app.admission.records import UnreadableRecord, unpack
from serve_app.core.errors import BadRequest
from serve_app.core.key_record import KeyRecord

log = logging.getLogger(__name__)


class Roll:
    """Who has which key.

    A request costs one look into a dictionary. What is compared there are SHA-256 digests, never
    keys: how long that takes says nothing of use, because nobody can choose a digest byte by
    byte. The last comparison takes the same time for all digests nevertheless.
    """

    def __init__(self) -> None:
        self._by_digest: dict[bytes, Caller] = {}
        self._by_id: dict[str, Caller] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, digest: bytes) -> Caller | None:
        known = self._by_digest.get(digest)
        if known is None or not hmac.compare_digest(known.digest, digest):
            return None
        return known

    def get(self, key_id: str) -> KeyRecord | None:
        known = self._by_id.get(key_id)
        return None if known is None else known.record

    def records(self) -> list[KeyRecord]:
        return [known.record for known in self._by_id.values() if known.record is not None]

    def take(self, record: KeyRecord) -> None:
        """Know a record, unless a newer version is known already."""
        known = self.get(record.id)
        if known is not None and known.version > record.version:
            return
        self.forget(record.id)
        new = caller(record)
        self._by_digest[new.digest] = self._by_id[record.id] = new

    def forget(self, key_id: str) -> None:
        known = self._by_id.pop(key_id, None)
        if known is not None:
            del self._by_digest[known.digest]

    def hear(self, stored: Iterable[tuple[bytes, bytes]]) -> None:
        """Know what Redis holds: ids and packed records; an empty one has been removed.

        A record that cannot be read is of nobody: its key is refused.
        """
        for name, packed in stored:
            key_id = name.decode("ascii", "replace")
            try:
                self._hear(key_id, packed)
            except (UnreadableRecord, BadRequest) as error:
                log.warning("API key %r is refused: %s", key_id, error)
                self.forget(key_id)

    def _hear(self, key_id: str, packed: bytes) -> None:
        if not packed:
            self.forget(key_id)
            return
        record = unpack(packed)
        if record.id != key_id:
            raise UnreadableRecord("it has another's name")
        self.take(record)

"""The questions of one partition that this replica knows: vectors, and what they are worth."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from msgspec import Struct

from serve_app.cache.semantic.bound import Observation
from serve_app.cache.semantic.index import Index, Near
from serve_app.cache.semantic.records import Added, Dropped, Observed, Record
from serve_app.core.kept import Purge

_OVERHEAD: Final = 700
"""Bytes of a question besides its vector and text, bookkeeping included."""

_OBSERVATIONS: Final = 64
"""Of one question, the latest."""

_EVICTED: Final = 0.02
"""So many leave at once when there are too many: to look for the least costs a look at all."""


class Known(Struct):
    """A stored question."""

    added: Added
    hits: int = 0
    observed: list[Observation] = []

    @property
    def value(self) -> tuple[float, float]:
        """What it saves by its size, then how new it is: hits x saved cost / bytes."""
        added = self.added
        worth = (self.hits + 1) * (added.cost_micro_usd + 1) / (added.size + _OVERHEAD)
        return worth, added.asked_at


class Partition:
    """Questions that may answer for one another.

    Args:
        make_index: for vectors of so many dimensions; when the first one is there.
        most: questions at most; the least worth leave.
    """

    def __init__(self, make_index: Callable[[int], Index], most: int) -> None:
        self._make_index = make_index
        self.index: Index | None = None
        self.known: dict[str, Known] = {}
        self._most = most
        self._text_bytes = 0

    def __len__(self) -> int:
        return len(self.known)

    @property
    def nbytes(self) -> int:
        vectors = 0 if self.index is None else self.index.nbytes
        return vectors + self._text_bytes + len(self.known) * _OVERHEAD

    def apply(self, records: Iterable[Record], now: float) -> list[Observed]:
        """Take over what was recorded, any of it for the second time too.

        Returns:
            Those observations that are of questions known here.
        """
        observed = []
        for record in records:
            if isinstance(record, Added):
                self._add(record, now)
            elif isinstance(record, Dropped):
                self.drop(record.fingerprint)
            elif (known := self.known.get(record.fingerprint)) is not None:
                kept = known.observed[1 - _OBSERVATIONS :]
                known.observed = [*kept, Observation(record.score, record.same)]
                observed.append(record)
        return observed

    def drop(self, fingerprint: str) -> None:
        known = self.known.pop(fingerprint, None)
        if known is not None:
            self._text_bytes -= _size(known.added)
            if self.index is not None:
                self.index.remove(fingerprint)

    def forget(self, purge: Purge) -> None:
        """Drop what matches every field of a purge that is set; its tenant is not looked at."""
        for fingerprint in [name for name, known in self.known.items() if _is_of(purge, known)]:
            self.drop(fingerprint)

    def nearest(self, vector: np.ndarray, names: list[str], now: float) -> list[Near]:
        """Those of the names that live, nearest first; dead ones are dropped."""
        for name in names:
            known = self.known.get(name)
            if known is not None and known.added.expires_at <= now:
                self.drop(name)
        return [] if self.index is None else self.index.cosines(vector, names)

    def _add(self, added: Added, now: float) -> None:
        if added.expires_at <= now:
            return
        old = self.known.get(added.fingerprint)
        if old is not None:
            self._text_bytes -= _size(old.added)
            old.added = added
        else:
            self.known[added.fingerprint] = Known(added)
        self._text_bytes += _size(added)
        vector = np.frombuffer(added.vector, dtype=np.float16).astype(np.float32)
        if self.index is None:
            self.index = self._make_index(len(vector))
        self.index.add(added.fingerprint, vector)
        if len(self.known) > self._most:
            self._evict(now)

    def _evict(self, now: float) -> None:
        dead = [name for name, known in self.known.items() if known.added.expires_at <= now]
        for name in dead:
            self.drop(name)
        surplus = len(self.known) - self._most
        if surplus > 0:
            surplus = max(surplus, int(self._most * _EVICTED))
            worth: Callable[[str], tuple[float, float]] = lambda name: self.known[name].value  # noqa: E731
            for name in heapq.nsmallest(surplus, self.known, key=worth):
                self.drop(name)


def _size(added: Added) -> int:
    return 2 * len(added.text) + len(added.vector) + len(added.aspects)


def _is_of(purge: Purge, known: Known) -> bool:
    added = known.added
    return (
        (not purge.fingerprint or purge.fingerprint == added.fingerprint)
        and (not purge.tag or purge.tag in added.tags)
        and (not purge.model or purge.model in (added.model, f"{added.backend}/{added.model}"))
    )

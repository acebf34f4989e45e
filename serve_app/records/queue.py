"""What waits in memory to be written: told on the event loop, taken by the thread that writes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from serve_app.core.settlement import Settlement
from serve_app.records.rows import Batch, End, Rows


class _Told(Struct):
    ends: Sequence[End]
    settled: Sequence[Settlement]
    at_us: int

    def __len__(self) -> int:
        return len(self.ends) + len(self.settled)


class Queue:
    """Bounded; putting something in costs the same for one as for hundreds.

    Args:
        limit: rows.
    """

    def __init__(self, rows: Rows, limit: int) -> None:
        self._rows = rows
        self._limit = limit
        self._told: deque[_Told] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self.lost = 0
        """Rows for which there was no room."""

    def put(self, ends: Sequence[End], settled: Sequence[Settlement], at_us: int) -> None:
        """
        Args:
            ends: not changed any more; nor is `settled`.
            at_us: now, in microseconds since 1970.
        """
        told = _Told(ends, settled, at_us)
        with self._lock:
            if self._waiting + len(told) > self._limit:
                self.lost += len(told)
                return
            self._waiting += len(told)
            self._told.append(told)

    def taken(self, rows: int) -> Batch | None:
        """The oldest of what waits, about so many rows; None: nothing does."""
        batch = Batch([], [])
        while self._told and len(batch) < rows:
            with self._lock:
                told = self._told.popleft()
                self._waiting -= len(told)
            made = self._rows.of(told.ends, told.settled, told.at_us)
            batch.requests += made.requests
            batch.charges += made.charges
        return batch if len(batch) else None

    def __len__(self) -> int:
        return self._waiting

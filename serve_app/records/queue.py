"""What waits in memory to be written: from the event loop to the thread that writes."""

from __future__ import annotations

import threading
from collections import deque

from serve_app.records.rows import Batch


class Queue:
    """Batches of rows, bounded.

    Args:
        limit: rows.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._batches: deque[Batch] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self.lost = 0
        """Rows for which there was no room."""

    def put(self, batch: Batch) -> None:
        with self._lock:
            if self._waiting + len(batch) > self._limit:
                self.lost += len(batch)
                return
            self._waiting += len(batch)
            self._batches.append(batch)

    def taken(self, rows: int) -> Batch | None:
        """The oldest of what waits, about so many rows; None: nothing does."""
        taken = Batch([], [])
        with self._lock:
            while self._batches and len(taken) < rows:
                batch = self._batches.popleft()
                taken.requests += batch.requests
                taken.charges += batch.charges
            self._waiting -= len(taken)
        return taken if len(taken) else None

    def __len__(self) -> int:
        return self._waiting

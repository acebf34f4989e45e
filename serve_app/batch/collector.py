"""Where results arrive in any order: put in their parts, and to disk before long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from serve_app.batch.parts import Parts
from serve_app.batch.results import Result, Tally
from serve_app.core.clock import Clock

FLUSH_S: Final = 2.0
"""A crash costs at most what came in so many seconds, and what was on its way."""


class Collector:
    """Keeps the parts of a batch. In memory are only those that are begun and not complete.

    Args:
        rows: of the whole batch.
    """

    def __init__(self, parts: Parts, rows: int, clock: Clock) -> None:
        self._parts = parts
        self._rows = rows
        self._clock = clock
        self._open: dict[int, dict[int, Result]] = {}
        self._changed: set[int] = set()
        self._flush_at = clock.monotonic() + FLUSH_S
        self.done = bytearray(rows)
        """A byte for each row, 1 where it has its result."""
        self.tally = Tally()

    def restore(self, *, without_errors: bool) -> None:
        """Take up what earlier runs have left.

        Args:
            without_errors: rows that failed are to be done again.
        """
        for results in self._parts.load():
            kept = [r for r in results if not (without_errors and r.failed)]
            self._note(kept)
            if kept and len(kept) < self._size(self._first(kept[0].row)):
                self._open[self._first(kept[0].row)] = {r.row: r for r in kept}

    def take(self, results: Iterable[Result]) -> list[Result]:
        """Keep results; a row that has one already keeps it.

        Returns:
            Those that were new.
        """
        new = [result for result in results if not self.done[result.row]]
        self._note(new)
        for result in new:
            first = self._first(result.row)
            self._open.setdefault(first, {})[result.row] = result
            self._changed.add(first)
        for first in [f for f in self._changed if len(self._open[f]) == self._size(f)]:
            self._store(first)
            del self._open[first]
        if self._clock.monotonic() >= self._flush_at:
            self.flush()
        return new

    def flush(self) -> None:
        """Everything that was taken is on disk afterwards."""
        for first in list(self._changed):
            self._store(first)
        self._flush_at = self._clock.monotonic() + FLUSH_S

    @property
    def complete(self) -> bool:
        return self.tally.done == self._rows

    def _note(self, results: list[Result]) -> None:
        for result in results:
            self.done[result.row] = 1
        self.tally.add(results)

    def _store(self, first: int) -> None:
        results = self._open[first]
        self._parts.write(first, [results[row] for row in sorted(results)])
        self._changed.discard(first)

    def _first(self, row: int) -> int:
        return row - row % self._parts.part_rows

    def _size(self, first: int) -> int:
        return min(self._parts.part_rows, self._rows - first)

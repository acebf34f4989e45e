"""The usage store as the rest of the house sees it: told what happened, it keeps rows of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from serve_app.config.records_policy import RecordsPolicy
from serve_app.config.watch_settings import RecordsSettings
from serve_app.core.clock import Clock
from serve_app.core.settlement import Settlement
from serve_app.records.address import address
from serve_app.records.database import Database
from serve_app.records.queue import Queue
from serve_app.records.reports import Reports
from serve_app.records.rows import End, Rows
from serve_app.records.spool import Spool
from serve_app.records.tables import MICRO
from serve_app.records.writer import What, Writer

log = logging.getLogger(__name__)

CLOSE_LIMIT_S: Final = 5.0


class Records:
    """Keeps a row for each request and each settlement; a sink of the observer.

    Args:
        folder: of the data folder, for the database's file and the spool.
        environ: may say where the database is, and its password.
        is_mine: whether this process of all makes sums and deletes what is old.

    Raises:
        PolicyRejected: the settings name no database that we can use.
    """

    def __init__(
        self,
        settings: RecordsSettings,
        policy: RecordsPolicy,
        folder: Path,
        environ: Mapping[str, str],
        clock: Clock,
        is_mine: Callable[[], bool],
    ) -> None:
        self._clock = clock
        url = address(settings.url, environ, folder)
        self._database = None if url is None else Database(url)
        self._rows = Rows()
        self._queue = Queue(settings.max_waiting)
        self._spool = Spool(folder / "spool", settings.spool_bytes)
        self._writer: Writer | None = None
        self.reports = Reports(None if url is None else Database(url))
        if self._database is not None:
            self._writer = Writer(
                self._queue,
                self._database,
                self._spool,
                policy,
                is_mine,
                clock.wall,
                interval_s=settings.interval_s,
            )

    def take(self, ends: Sequence[End], settled: Sequence[Settlement]) -> None:
        """Never waits. The rows are made here, so that what requests leave is freed at once, and
        the thread that writes holds the interpreter's lock for less."""
        if self._writer is not None:
            self._queue.put(self._rows.of(ends, settled, int(self._clock.wall() * MICRO)))

    @property
    def waiting(self) -> int:
        """Rows that the database does not have yet, in memory and on the disk."""
        in_hand = 0 if self._writer is None else self._writer.in_hand
        return len(self._queue) + in_hand + self._spool.rows

    def counts(self) -> dict[What, int]:
        """Rows that this process has `written`, put on its disk (`spooled`) and `lost`, so far."""
        if self._writer is None:
            return {"written": 0, "spooled": 0, "lost": 0}
        counts = self._writer.counts
        return {**counts, "lost": counts["lost"] + self._queue.lost}

    def counters(self) -> Iterator[tuple[str, dict[str, str], int]]:
        """For the metrics: name, labels and value."""
        for what, count in self.counts().items():
            yield "serve_app_records_total", {"what": what}, count

    def gauges(self) -> Iterator[tuple[str, dict[str, str], int]]:
        """Like `counters`, of what is so now."""
        yield "serve_app_records_waiting", {}, self.waiting

    def start(self) -> None:
        """Begin to write."""
        if self._writer is not None:
            self._writer.start()

    def reconfigure(self, policy: RecordsPolicy) -> None:
        """Use another policy from now on."""
        if self._writer is not None:
            self._writer.policy = policy

    async def close(self) -> None:
        """Take what waits to the database, or to the disk; bounded."""
        self.reports.close()
        if self._writer is None:
            return
        if not await asyncio.to_thread(self._writer.stop, CLOSE_LIMIT_S):
            log.error("%d records may be lost: the database did not answer", len(self._queue))

"""The thread that writes: rows to the database, or to the disk while the database is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from serve_app.config.records_policy import RecordsPolicy
from serve_app.records import schema, upkeep
from serve_app.records.database import Database, SQLAlchemyError, is_of_row
from serve_app.records.queue import Queue
from serve_app.records.rows import Batch
from serve_app.records.schema import WrongVersion
from serve_app.records.spool import Spool, SpoolFull, batches
from serve_app.records.tables import WRITTEN
from serve_app.records.writing import write

log = logging.getLogger(__name__)

What = Literal["written", "spooled", "lost"]

_BATCH_ROWS: Final = 2000
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0
_UPKEEP_S: Final = 60.0
_UPKEEP_LIMIT_S: Final = 5.0
"""At a time: rows of requests come meanwhile."""
_AT: Final = WRITTEN.index("at")


class Away(Exception):
    """The database cannot take rows now."""


class Writer:
    """Writes what is in the queue, until it is closed.

    Args:
        is_mine: whether this process of all makes sums and deletes what is old.
        wall: Unix seconds.
    """

    def __init__(
        self,
        queue: Queue,
        database: Database,
        spool: Spool,
        policy: RecordsPolicy,
        is_mine: Callable[[], bool],
        wall: Callable[[], float],
        *,
        interval_s: float,
    ) -> None:
        self.policy = policy
        self.counts: dict[What, int] = {"written": 0, "spooled": 0, "lost": 0}
        """Rows, so far."""
        self.in_hand = 0
        """Rows that are in neither the queue nor anywhere else yet."""
        self._queue = queue
        self._database = database
        self._spool = spool
        self._is_mine = is_mine
        self._wall = wall
        self._interval_s = interval_s
        self._is_ready = False
        self._pause_s = 0.0
        self._away_until = 0.0
        self._upkeep_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, limit_s: float) -> bool:
        """Write what there is, and end; blocks. False: it took longer than that."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        is_last = False
        while True:
            try:
                self.work()
            except Exception:  # the thread must live on, and the mistake be seen
                log.exception("records could not be written")
            if is_last:
                self._spool.close()
                self._database.close()
                return
            is_last = self._stop.wait(self._interval_s)

    def work(self) -> None:
        """One round."""
        while (batch := self._queue.taken(_BATCH_ROWS)) is not None:
            self.in_hand = len(batch)
            self._keep(batch)
            self.in_hand = 0
        if self._is_away():
            return
        try:
            self._ready()
            self._empty_spool()
            self._is_back()
            self._tidy()
        except (Away, SQLAlchemyError, WrongVersion, OSError) as error:
            self._went_away(error)

    def _keep(self, batch: Batch) -> None:
        """Put a batch in the database, else on the disk."""
        if not self._is_away():
            try:
                self._ready()
                self._write(batch)
            except (Away, SQLAlchemyError, WrongVersion, OSError) as error:
                self._went_away(error)
            else:
                return
        try:
            self._spool.put(batch)
            self.counts["spooled"] += len(batch)
        except (SpoolFull, OSError) as error:
            self.counts["lost"] += len(batch)
            log.error("%d records are lost: %s", len(batch), error)

    def _is_back(self) -> None:
        if self._pause_s:
            log.warning("the database of the records is back")
        self._pause_s = 0.0

    def _write(self, batch: Batch) -> None:
        """Write a batch, but for rows that the database does not take at all.

        Raises:
            Away
        """
        try:
            with self._database.writing() as connection:
                write(connection, batch)
            self.counts["written"] += len(batch)
        except (SQLAlchemyError, ValueError, OverflowError, TypeError) as error:
            if not is_of_row(error):
                raise Away(_said(error)) from None
            if len(batch) > 1:
                for part in _halves(batch):
                    self._write(part)
                return
            self.counts["lost"] += 1
            log.error("a record is lost: the database refuses it (%s)", type(error).__name__)

    def _empty_spool(self) -> None:
        """Write what waits on the disk: our own, then what processes left that died."""
        for file in self._spool.files():
            self._replay(file)
        for file in self._spool.orphans():
            self._replay(file)

    def _replay(self, file: Path) -> None:
        rows = 0
        for batch in batches(file):
            rows += len(batch)
            self._write(self._timely(batch))
        self._spool.done(file)
        log.info("%d records came from the disk", rows)

    def _timely(self, batch: Batch) -> Batch:
        """A batch without charges of which nobody can tell whether they had been there before."""
        oldest = int(self._wall() * 1e6) - upkeep.charges_kept_us(self.policy)
        kept = [row for row in batch.charges if int(row[_AT] or 0) >= oldest]
        if late := len(batch.charges) - len(kept):
            self.counts["lost"] += late
            log.error("%d records are lost: they waited on the disk for too long", late)
        return Batch(batch.requests, kept)

    def _tidy(self) -> None:
        """Make sums and delete what is old, now and then, if that is ours to do."""
        now = time.monotonic()
        if now < self._upkeep_at or not self._is_mine() or self._stop.is_set():
            return
        while time.monotonic() < now + _UPKEEP_LIMIT_S:
            if not upkeep.step(self._database, self.policy, int(self._wall() * 1e6)):
                self._upkeep_at = now + _UPKEEP_S
                return

    def _ready(self) -> None:
        """Have the tables as they should be."""
        if not self._is_ready:
            before, after = schema.migrate(self._database)
            if before != after:
                log.info("the tables of the records are of version %s now", after)
            self._is_ready = True

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _went_away(self, error: Exception) -> None:
        if not self._pause_s:
            log.warning("records wait on the disk: the database is away (%s)", _said(error))
        self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2 or _FIRST_PAUSE_S)
        self._away_until = time.monotonic() + self._pause_s


def _said(error: Exception) -> str:
    """What a database says of itself; never a value of a row."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:200]


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    requests, charges = batch.requests, batch.charges
    if requests and charges:
        return Batch(requests, []), Batch([], charges)
    half = len(batch) // 2
    return (
        Batch(requests[:half], charges[:half]),
        Batch(requests[half:], charges[half:]),
    )

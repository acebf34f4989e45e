"""The database of the records: connections with limits, and transactions that do not surprise."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["URL", "Connection", "Database", "SQLAlchemyError", "is_of_row"]

_WAIT_S: Final = 5.0
"""For another process that writes the same file; for a server to be reached."""
_PAUSE_S: Final = 0.01
_UNTIL: Final = "serve_app.until"
_OPERATIONS: Final = 100_000
"""Of SQLite's machine, between two looks at the clock: a few milliseconds."""
_POSTGRES: Final[dict[str, Any]] = {
    "connect_timeout": int(_WAIT_S),
    "application_name": "serve-app records",
    "keepalives_idle": 10,
    "tcp_user_timeout": int(_WAIT_S * 1000),
}


class Database:
    """Opens transactions; what takes too long in one fails. Threads may share it.

    Args:
        limit_s: for one statement; with SQLite for the transaction.
    """

    def __init__(self, url: URL, limit_s: float = 10.0) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.engine = _sqlite(url, limit_s) if self.is_sqlite else _postgres(url, limit_s)

    @property
    def shown(self) -> str:
        """Its address without the password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """Of SQLite."""
        return Path(str(self.url.database)) if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, whole: bool = False) -> Iterator[Connection]:
        """A transaction that writes. SQLite has one at a time.

        Args:
            whole: all its statements see the tables as they were at its beginning; one that would
                change what somebody else changed since fails.
        """
        with self.engine.connect() as connection:
            options = {"writes": True}
            if whole and not self.is_sqlite:  # SQLite's are so anyway
                connection = connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901
            with connection.execution_options(**options).begin():
                yield connection

    def close(self) -> None:
        self.engine.dispose()


def is_of_row(error: Exception) -> bool:
    """Whether a row's values are to blame. All else may go well later: the database cannot be
    reached, is busy or full, or its tables are not what they should be."""
    return isinstance(error, DataError | IntegrityError) or not isinstance(error, SQLAlchemyError)


def take_time(connection: Connection) -> None:
    """Let the statements of this transaction take as long as they do."""
    if connection.dialect.name == "sqlite":
        connection.info[_UNTIL] = math.inf
    else:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _sqlite(url: URL, limit_s: float) -> Engine:
    # Statements of many rows are large, and the last of a batch is like no other: few are kept.
    engine = create_engine(url, connect_args={"timeout": _WAIT_S, "cached_statements": 8})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: ConnectionPoolEntry) -> None:
        info = record.info
        info[_UNTIL] = math.inf
        connection.set_progress_handler(lambda: time.monotonic() > info[_UNTIL], _OPERATIONS)
        connection.isolation_level = None  # we begin transactions ourselves, below
        # WAL: who reads does not wait for who writes. A process that is killed loses nothing that
        # was committed; a machine that loses its power may lose the last commits.
        _use_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.info[_UNTIL] = time.monotonic() + limit_s
        # IMMEDIATE: else two that have read and then want to write are a deadlock.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Of several that open a new file at once all but one are refused, without SQLite's own wait.

    Raises:
        sqlite3.OperationalError: for as long as it would have waited.
    """
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _postgres(url: URL, limit_s: float) -> Engine:
    options = f"-c statement_timeout={int(limit_s * 1000)}"
    return create_engine(
        url,
        pool_size=2,
        max_overflow=4,
        pool_pre_ping=True,
        connect_args={**_POSTGRES, "options": options},
    )

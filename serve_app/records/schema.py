"""The version of the tables: found out, and brought up to ours, by one process at a time."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import inspect, text

from serve_app.records.database import Connection, Database, take_time

HEAD: Final = "0001"
"""The version that this code reads and writes."""
_LOCK: Final = 0x53_41_52_45  # of PostgreSQL's advisory locks; any number that is always the same
_ALEMBIC: Final = threading.Lock()
"""Alembic keeps what it works on in variables of its modules: one thread of a process at a time."""
_FOLDER: Final = Path(__file__).parent / "migrations"


class WrongVersion(Exception):
    """The tables are of a version that this code does not know: it is older than they are."""


def version(connection: Connection) -> str:
    """Of the tables that are there; empty: there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def migrate(database: Database) -> tuple[str, str]:
    """Bring the tables up to our version; harmless where they are. The versions before and after.

    Raises:
        WrongVersion: they are newer than ours.
        SQLAlchemyError: the database cannot be reached, or does not let us.
        OSError: the file of SQLite cannot be made.
    """
    if database.file is not None:
        database.file.parent.mkdir(parents=True, exist_ok=True)
    with database.reading() as connection:
        before = version(connection)
    if before == HEAD:
        return before, before
    with _alone(database) as connection:
        before = version(connection)
        if before != HEAD:
            _upgrade(connection, before)
    return before, HEAD


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A transaction that no other process migrates beside."""
    file = database.file
    if file is None:
        with database.writing() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
            yield connection
        return
    with file.with_name(file.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with database.writing() as connection:
            yield connection


def _upgrade(connection: Connection, before: str) -> None:
    # Alembic takes 100 ms to load, and is needed once in the life of a database.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before and before not in known:
        raise WrongVersion(
            f"the tables of the records are of version {before}, which is newer than ours ({HEAD}):"
            " use the serve-app that made them, or a newer one"
        )
    config.attributes["connection"] = connection
    take_time(connection)
    with _ALEMBIC:
        command.upgrade(config, "head")

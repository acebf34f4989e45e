"""How the records are: where, of which version, how many, and what waits on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from serve_app.records.database import Database
from serve_app.records.schema import HEAD, version
from serve_app.records.spool import batches
from serve_app.records.tables import MICRO, charge_hours, charges, requests


def state_of(database: Database, spool: Path) -> dict[str, Any]:
    """
    Args:
        spool: holds what processes of this machine could not write.

    Raises:
        SQLAlchemyError: the database cannot be read.
    """
    found: dict[str, Any] = {"database": database.shown, "version": "", "newest_version": HEAD}
    file = database.file
    if file is None or file.exists():  # else looking would make it
        with database.reading() as connection:
            found["version"] = version(connection)
            if found["version"]:
                for table in (requests, charges, charge_hours):
                    count = select(func.count()).select_from(table)
                    found[table.name] = connection.execute(count).scalar_one()
                oldest = connection.execute(select(func.min(requests.c.at))).scalar()
                found["oldest_request"] = None if oldest is None else oldest // MICRO
    files = sorted(spool.glob("*/*.spool")) if spool.is_dir() else []
    found["waiting_on_disk"] = sum(len(batch) for file in files for batch in batches(file))
    return found

"""Where the records are: a setting and the environment in, the address of a database out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from serve_app.core.errors import PolicyRejected

URL_ENV: Final = "SERVE_APP_RECORDS_URL"
"""Environment variable that wins over `records.url`."""
PASSWORD_ENV: Final = "SERVE_APP_RECORDS_PASSWORD"  # noqa: S105 - the name of one
"""Environment variable with the database's password. Without it PostgreSQL's own ways to find one
(PGPASSWORD, ~/.pgpass) work as well."""
_DRIVERS: Final = ("sqlite", "postgresql+psycopg")


def address(configured: str, environ: Mapping[str, str], folder: Path) -> URL | None:
    """The database that is meant; None: no records are kept.

    Args:
        folder: where the file is that `sqlite` means.

    Raises:
        PolicyRejected: it is no address of a database that we can use.
    """
    chosen = environ.get(URL_ENV) or configured
    if chosen == "none":
        return None
    if chosen == "sqlite":
        return URL.create("sqlite", database=str(folder / "records.db"))
    url = _parsed(chosen)
    if url.drivername == "sqlite":
        if not url.database:
            raise PolicyRejected("records.url: a database of SQLite needs a file")
        return url.set(database=str(Path(url.database).expanduser().absolute()))
    password = environ.get(PASSWORD_ENV)
    return url.set(password=password) if password else url


def _parsed(chosen: str) -> URL:
    try:
        url = make_url(chosen)
    except ArgumentError:  # its message may quote a password
        raise PolicyRejected("records.url is not an address of a database") from None
    if url.drivername not in _DRIVERS:
        raise PolicyRejected(
            f"records.url: {url.drivername!r} is no database that we use; "
            "`sqlite`, `sqlite:///FILE`, `postgresql+psycopg://USER@HOST/DATABASE` or `none`"
        )
    return url

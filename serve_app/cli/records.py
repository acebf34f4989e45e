"""`serve-app records`: the database of the usage records, and the version of its tables."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from serve_app.cli import options
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.up import read
from serve_app.config.paths import data_dir
from serve_app.core.errors import PolicyRejected
from serve_app.records import schema
from serve_app.records.address import address
from serve_app.records.database import Database, SQLAlchemyError
from serve_app.records.schema import WrongVersion
from serve_app.records.state import state_of

records = typer.Typer(
    name="records",
    help="The usage records: their database, and what is in it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@records.command()
def migrate(config: options.Config = None, overlay: options.Overlay = None) -> None:
    """Bring the tables up to this version. A gateway does that itself when it starts; do it before,
    where its user of the database may not.

    \b
    Examples:
      serve-app records migrate --config enterprise
    """
    with _database(config, overlay) as database:
        before, after = schema.migrate(database)
        print(f"{database.shown}: {before or 'nothing'} before, version {after} now")


@records.command()
def status(
    config: options.Config = None,
    overlay: options.Overlay = None,
    as_json: options.AsJson = False,
) -> None:
    """Show where the records are, how many there are, and what still waits on this machine's disk.

    \b
    Examples:
      serve-app records status
      SERVE_APP_RECORDS_URL=postgresql+psycopg://me@db/records serve-app records status --json
    """
    with _database(config, overlay) as database:
        found = state_of(database, _folder() / "spool")
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' '):<22} {value}")


def _folder() -> Path:
    return data_dir(os.environ) / "records"


@contextmanager
def _database(config: options.Config, overlay: options.Overlay) -> Iterator[Database]:
    """The database that a configuration means.

    Raises:
        Failure: there is none, or it says no.
    """
    deployment = read(config, overlay, None, None)
    configured = deployment.gateways[0].args.records.url if deployment.gateways else "sqlite"
    try:
        url = address(configured, os.environ, _folder())
    except PolicyRejected as error:
        raise Failure(str(error), USAGE) from None
    if url is None:
        raise Failure("No records are kept: records.url is `none`")
    database = Database(url)
    try:
        yield database
    except WrongVersion as error:
        raise Failure(str(error)) from None
    except (SQLAlchemyError, OSError) as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
        raise Failure(f"{database.shown} cannot be used: {cause}") from None
    finally:
        database.close()

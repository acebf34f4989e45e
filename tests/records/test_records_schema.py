"""The tables: made by migrations, as the code describes them, by one process at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from records.records_world import Looks, charge, close, opened
from sqlalchemy import text

from serve_app.records import schema
from serve_app.records.schema import HEAD, WrongVersion
from serve_app.records.tables import metadata


def test_migrations_make_the_tables_that_the_code_describes(
    url: str, tmp_path: Path, look: Looks
) -> None:
    there = look(url)
    assert schema.migrate(there.database) == ("", HEAD)
    assert schema.migrate(there.database) == (HEAD, HEAD)
    with there.database.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_several_that_start_at_once_make_them_once(url: str, tmp_path: Path, look: Looks) -> None:
    stores = [look(url).database for _ in range(4)]
    said: list[tuple[str, str]] = []
    together = threading.Barrier(len(stores))

    def start(number: int) -> None:
        together.wait()
        said.append(schema.migrate(stores[number]))

    threads = [threading.Thread(target=start, args=(n,)) for n in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [("", HEAD)] + [(HEAD, HEAD)] * (len(stores) - 1)


def test_tables_of_a_later_version_are_left_alone(url: str, tmp_path: Path, look: Looks) -> None:
    there = look(url)
    schema.migrate(there.database)
    with there.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(WrongVersion, match="newer"):
        schema.migrate(there.database)
    records = opened(tmp_path, url)
    records.start()
    records.take([], [charge()])
    close(records)
    assert records.counts() == {"written": 0, "spooled": 1, "lost": 0}
    with there.database.writing() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{HEAD}'"))
    records = opened(tmp_path, url)
    records.start()
    close(records)
    assert there.numbers() == (0, 1)

"""The databases that records are kept in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from records.records_world import Look, Looks


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records/records.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def look() -> Iterator[Looks]:
    """Looks into databases, and lets go of them at the end."""
    opened: list[Look] = []

    def at(url: str) -> Look:
        opened.append(Look(url))
        return opened[-1]

    yield at
    for one in opened:
        one.database.close()

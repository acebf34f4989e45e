"""The session's PostgreSQL, and databases on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres.server import Postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for the session; who kills it starts it again."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> str:
    """The URL of an empty database."""
    return postgres_server.database()

"""Real collaborators for the tests: a Valkey server of this test session."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from postgres.fixtures import postgres_server, postgres_url  # noqa: F401
from provider.fixtures import provider, provider_process  # noqa: F401
from redis import Redis
from tools.mcp_world import mcp_server  # noqa: F401

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

# How long making an example takes says how busy the machine is: other runs go on beside this one.
settings.register_profile(
    "busy", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")


@pytest.fixture(scope="session")
def valkey() -> Iterator[EmbeddedValkey]:
    """One server for the session, with a `.url`; shared, so take `clean_valkey` to use it."""
    with tempfile.TemporaryDirectory(prefix="serve-app-") as folder:
        server = EmbeddedValkey(Path(folder) / "valkey")
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def clean_valkey(valkey: EmbeddedValkey) -> EmbeddedValkey:
    """The session's server with nothing in it: no key, no script."""
    with Redis.from_url(valkey.url) as client:
        client.flushall()
        client.script_flush()
    return valkey


@pytest.fixture
async def store(clean_valkey: EmbeddedValkey) -> AsyncIterator[Store]:
    """A store over `clean_valkey`, patient enough for a busy test machine."""
    store = Store(RedisSettings(timeout_ms=5000), SystemClock(), clean_valkey.url)
    try:
        yield store
    finally:
        await store.close()

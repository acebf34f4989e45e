"""Clusters of this test session: one of Valkey, and one of Redis where that is installed."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from store.valkey_cluster import ClusterServers, binary

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store


@contextmanager
def _running(kind: str) -> Iterator[ClusterServers]:
    program = binary(kind)
    if program is None:
        pytest.skip(f"there is no {kind}-server on this machine")
    with tempfile.TemporaryDirectory(prefix="serve-app-") as folder:
        servers = ClusterServers(program, Path(folder))
        try:
            yield servers
        finally:
            servers.stop()


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[ClusterServers]:
    with _running("valkey") as servers:
        yield servers


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[ClusterServers]:
    with _running("redis") as servers:
        yield servers


@pytest.fixture(params=["valkey", "redis"])
def cluster(request: pytest.FixtureRequest) -> ClusterServers:
    """Three primaries without a key; whoever kills one takes `own_cluster`."""
    servers: ClusterServers = request.getfixturevalue(f"{request.param}_cluster")
    servers.clean()
    return servers


@pytest.fixture
def own_cluster() -> Iterator[ClusterServers]:
    """Three primaries of Valkey for one test."""
    with _running("valkey") as servers:
        yield servers


@pytest.fixture
async def cluster_store(cluster: ClusterServers) -> AsyncIterator[Store]:
    """A store over `cluster`, patient enough for a busy test machine."""
    store = Store(RedisSettings(timeout_ms=5000), SystemClock(), cluster.url)
    try:
        yield store
    finally:
        await store.close()

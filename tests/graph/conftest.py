"""The two placements under test: one process tree, and every stage its own deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from instances import KEYS, ROOT, Instance, folder, provider_overlay, share_model
from openai import OpenAI
from postgres.server import Postgres
from provider.fixtures import ScriptedProvider
from tracing.collector import Collector, running_collector


def made(name: str, config: str, overlays: list[Path], base_url: str) -> Instance:
    where = folder(name)
    ours = provider_overlay(where, config, base_url)
    instance = Instance(where, config, [*overlays, ours], KEYS)
    share_model(instance)
    return instance


@pytest.fixture(scope="session")
def personal(provider_process: ScriptedProvider) -> Iterator[Instance]:
    """configs/personal.yaml by `make serve`: every stage in the ingress replica, the real model."""
    instance = made("p", "configs/personal.yaml", [], provider_process.base_url)
    making = instance.serve()
    try:
        yield instance
    finally:
        instance.interrupt(making)
        instance.remove()


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the enterprise's spans go."""
    with running_collector() as collector:
        yield collector


@pytest.fixture(scope="session")
def enterprise(
    provider_process: ScriptedProvider, postgres_server: Postgres, collector: Collector
) -> Iterator[Instance]:
    """configs/enterprise.yaml on a small machine: every stage a deployment of its own, usage
    records in PostgreSQL, spans to a collector."""
    small = ROOT / "configs/overlays/small-machine.yaml"
    instance = made("e", "configs/enterprise.yaml", [small], provider_process.base_url)
    instance.environ["SERVE_APP_RECORDS_URL"] = postgres_server.database()
    instance.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = collector.endpoint
    instance.up()
    try:
        yield instance
    finally:
        instance.down()
        instance.remove()


@pytest.fixture(params=["personal", "enterprise"])
def gateway(request: pytest.FixtureRequest, provider: ScriptedProvider) -> Instance:
    """Either placement, with a provider that has no script."""
    instance: Instance = request.getfixturevalue(request.param)
    return instance


@pytest.fixture
def client(gateway: Instance) -> Iterator[OpenAI]:
    """The official client, unmodified."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, timeout=60) as made:
        yield made


@pytest.fixture
async def http(gateway: Instance) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(gateway.url, timeout=timeout) as session:
        yield session

"""Houses for the fuzz tests; one a module, because each of its tests asks hundreds of times."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fuzz_house import ACME, ZETA, Running, keyed, opened
from provider.fixtures import ScriptedProvider
from redis import Redis

from serve_app.store.embedded import EmbeddedValkey

FAR = {"requests_per_minute": 10**6, "tokens_per_minute": 10**8, "budget": {"day": 10**6}}


@pytest.fixture(scope="module")
def house(valkey: EmbeddedValkey, provider_process: ScriptedProvider) -> Iterator[Running]:
    """A house of two tenants; one has limits that it never reaches, so that they are counted."""
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    provider_process.reset()
    with opened(
        provider_process, valkey.url, keyed(ACME.entry(limits=FAR), ZETA.entry())
    ) as running:
        yield running

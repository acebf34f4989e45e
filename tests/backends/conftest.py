"""Backends under test, connected to the scripted provider."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from backend_calls import KEY, MakeHosted
from backend_desk import Desk
from provider.fixtures import ScriptedProvider

from serve_app.backends.dialects.choice import dialect_of
from serve_app.backends.hosted import Hosted
from serve_app.backends.keys import ProviderKeys
from serve_app.config.structure import BackendTimeouts, HostedBackend, ModelSettings
from serve_app.core.clock import SystemClock


@pytest.fixture
async def make_hosted(provider: ScriptedProvider) -> AsyncIterator[MakeHosted]:
    """Makes hosted backends: `make_hosted("name", idle_s=0.2)`; they are closed afterwards."""
    made: list[Hosted] = []

    def make(
        name: str = "test", base_url: str = "", connections: int = 64, **timeouts: float
    ) -> Hosted:
        settings = HostedBackend(
            name=name,
            api_key_env=["TEST_KEY"],
            base_url=base_url or provider.base_url,
            models=[ModelSettings(id="any", context=4096)],
            timeouts=BackendTimeouts(**timeouts),
            max_connections=connections,
        )
        clock = SystemClock()
        keys = ProviderKeys(settings, {"TEST_KEY": KEY}, clock)
        made.append(Hosted(settings, keys, dialect_of(settings), clock))
        return made[-1]

    yield make
    for backend in made:
        await backend.close()


@pytest.fixture
def hosted(make_hosted: MakeHosted) -> Hosted:
    return make_hosted()


@pytest.fixture
def desk(make_hosted: MakeHosted) -> Desk:
    """An executor over the backends `first` and `second`."""
    return Desk(make_hosted("first"), make_hosted("second"))

"""Backends under test, connected to the scripted provider."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from backend_calls import KEY, MakeHosted
from backend_desk import Desk
from provider.fixtures import ScriptedProvider

from serve_app.backends.openai_like import HostedOpenAI
from serve_app.config.structure import BackendTimeouts, HostedBackend, ModelSettings
from serve_app.core.clock import SystemClock


@pytest.fixture
async def make_hosted(provider: ScriptedProvider) -> AsyncIterator[MakeHosted]:
    """Makes hosted backends: `make_hosted("name", idle_s=0.2)`; they are closed afterwards."""
    made: list[HostedOpenAI] = []

    def make(
        name: str = "test", base_url: str = "", connections: int = 64, **timeouts: float
    ) -> HostedOpenAI:
        settings = HostedBackend(
            name=name,
            base_url=base_url or provider.base_url,
            models=[ModelSettings(id="any", context=4096)],
            timeouts=BackendTimeouts(**timeouts),
            max_connections=connections,
        )
        made.append(HostedOpenAI(settings, KEY, SystemClock()))
        return made[-1]

    yield make
    for backend in made:
        await backend.close()


@pytest.fixture
def hosted(make_hosted: MakeHosted) -> HostedOpenAI:
    return make_hosted()


@pytest.fixture
def desk(make_hosted: MakeHosted) -> Desk:
    """An executor over the backends `first` and `second`."""
    return Desk(make_hosted("first"), make_hosted("second"))

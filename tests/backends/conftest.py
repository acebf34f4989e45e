"""Backends under test, connected to the scripted provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from backend_calls import KEY, MakeHosted
from backend_desk import Desk
from provider.fixtures import ScriptedProvider

from serve_app.backends.dialects.choice import dialect_of
from serve_app.backends.hosted import Hosted
from serve_app.backends.keys import ProviderKeys
from serve_app.config.backend_settings import BackendTimeouts, HostedBackend, ModelSettings, Quirks
from serve_app.core.clock import Clock, SystemClock


@pytest.fixture
async def make_hosted(provider: ScriptedProvider) -> AsyncIterator[MakeHosted]:
    """Makes hosted backends: `make_hosted("name", idle_s=0.2)`; they are closed afterwards."""
    made: list[Hosted] = []

    def make(
        name: str = "test",
        base_url: str = "",
        connections: int = 64,
        *,
        keys: Sequence[str] = (KEY,),
        key_file: str | None = None,
        quirks: dict[str, Any] | None = None,
        clock: Clock | None = None,
        **timeouts: float,
    ) -> Hosted:
        clock = clock or SystemClock()
        environ = {f"TEST_KEY_{number}": key for number, key in enumerate(keys, 1)}
        settings = HostedBackend(
            name=name,
            api_key_env=list(environ),
            api_key_file=key_file,
            base_url=base_url or provider.base_url,
            models=[ModelSettings(id="any", context=4096)],
            quirks=Quirks(**quirks or {}),
            timeouts=BackendTimeouts(**timeouts),
            max_connections=connections,
        )
        ring = ProviderKeys(settings, environ, clock)
        made.append(Hosted(settings, ring, dialect_of(settings), clock))
        return made[-1]

    yield make
    for backend in made:
        await backend.close()


@pytest.fixture
def hosted(make_hosted: MakeHosted) -> Hosted:
    return make_hosted()


@pytest.fixture
def desk(make_hosted: MakeHosted) -> Desk:
    """An executor over the backends `first` and `second`. They have no keys: its pauses are not
    waited, and a key keeps its own time."""
    return Desk(make_hosted("first", keys=()), make_hosted("second", keys=()))

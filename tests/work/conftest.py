"""A house of the whole flow (`tests/flow`), for what is done later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from later import Later, opened
from provider.fixtures import ScriptedProvider

from serve_app.store.embedded import EmbeddedValkey


@pytest.fixture
def open_later(clean_valkey: EmbeddedValkey, provider: ScriptedProvider) -> Callable[..., object]:
    """Opens houses over one Valkey and one provider; see `later.opened`."""
    return lambda **more: opened(clean_valkey.url, provider.base_url, **more)


@pytest.fixture
async def later(open_later: Callable[..., object]) -> AsyncIterator[Later]:
    async with open_later() as house:  # type: ignore[attr-defined]
        yield house

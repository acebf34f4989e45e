"""Houses with a console, for the tests here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from console.console_world import Desk, Open, opened
from provider.fixtures import ScriptedProvider

from serve_app.store.embedded import EmbeddedValkey


@pytest.fixture
def open_console(clean_valkey: EmbeddedValkey, provider: ScriptedProvider, tmp_path: Path) -> Open:
    return partial(opened, clean_valkey.url, provider.base_url, tmp_path)


@pytest.fixture
async def desk(open_console: Open) -> AsyncIterator[Desk]:
    """Somebody who has not logged in at a gateway with an admin key and a viewer key."""
    async with open_console() as opened_desk:
        yield opened_desk

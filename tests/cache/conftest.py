"""A Redis that a test of the cache may stop and start."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.store.embedded import EmbeddedValkey


@pytest.fixture
def own_valkey() -> Iterator[EmbeddedValkey]:
    """A server of this test alone, with a `.url`."""
    with tempfile.TemporaryDirectory(prefix="serve-app-") as folder:
        server = EmbeddedValkey(Path(folder) / "valkey")
        server.start()
        try:
            yield server
        finally:
            server.stop()

"""A place for gateways of the tests: short paths, own ports, nothing left at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_world import Command


@pytest.fixture
def command() -> Iterator[Command]:
    """One command's world; a gateway that a test leaves running is ended."""
    with tempfile.TemporaryDirectory(prefix="serve-app-") as folder:
        command = Command(Path(folder) / "data")
        yield command
        if (command.folder / "state.json").exists():
            command.run("down", "--now")

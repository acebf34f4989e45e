"""Fixtures of the tests of alerts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from receivers import Receivers, running


@pytest.fixture(scope="session")
def receiver_process() -> Iterator[Receivers]:
    with running() as found:
        yield found


@pytest.fixture
def receivers(receiver_process: Receivers) -> Receivers:
    """They have taken nothing yet."""
    receiver_process.reset()
    return receiver_process

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tasks.task_world import Hands, queue_over

from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey
from serve_app.tasks.queue import RedisQueue


@pytest.fixture
def hands(clean_valkey: EmbeddedValkey) -> Iterator[Hands]:
    """Looks through the books when the test is over."""
    hands = Hands(clean_valkey.url)
    yield hands
    hands.audit()
    hands.close()


@pytest.fixture
def queue(store: Store, hands: Hands) -> RedisQueue:
    return queue_over(store)

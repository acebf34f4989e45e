"""How many workers are wanted for what is under way and what waits."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.deployments.staffing import workers_wanted


class Context:
    """What Serve tells a policy."""

    target_num_replicas = 2

    def __init__(self, told: dict[str, dict[Any, float]] | None) -> None:
        self.aggregated_metrics = told


def told(busy: list[float], waiting: list[float], each: float = 4) -> Context:
    return Context(
        {
            "busy": dict(enumerate(busy)),
            "waiting": dict(enumerate(waiting)),
            "concurrency": dict.fromkeys(range(len(busy)), each),
        }
    )


@pytest.mark.parametrize(
    ("context", "wanted"),
    [
        (told([0, 0], [0, 0]), 0),
        (told([4, 4], [0, 0]), 2),
        (told([4, 4], [40, 39]), 12),  # each tells of the same queue
        (told([1], [0]), 0.25),
        (told([4, 4], []), 2),  # Redis is away: nobody is sent home for that
        (Context({}), 2),
        (Context(None), 2),
    ],
)
def test_workers_follow_the_work(context: Context, wanted: float) -> None:
    assert workers_wanted(context) == (wanted, {})

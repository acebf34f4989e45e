"""A learned router follows its file."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from serve_app.core.clock import FakeClock
from serve_app.core.errors import PolicyRejected
from serve_app.routing.learned import file
from serve_app.routing.learned.fresh import LOOK_EVERY_S, FreshJudge
from serve_app.routing.learned.labels import read_labels
from serve_app.routing.learned.training import train

EXCERPT = next((Path(__file__).parents[1] / "data").glob("*router*.jsonl*"))


def trained(path: Path, seed: int) -> None:
    file.save(
        train(read_labels(EXCERPT), on=date(2026, 11, 25), seed=seed, done=lambda: None), path
    )


async def test_a_model_trained_anew_is_at_work_without_a_reload(tmp_path: Path) -> None:
    path, clock = tmp_path / "router.npz", FakeClock()
    trained(path, seed=0)
    judge = FreshJudge(path, 0.3, clock)
    before = judge.threshold
    trained(path, seed=1)
    os.utime(path, ns=(1, 1))
    await judge.judge(["hello"])
    assert judge.threshold == before
    clock.advance(LOOK_EVERY_S)
    await judge.judge(["hello"])
    assert judge.threshold != before


async def test_a_file_that_broke_leaves_the_old_model_at_work(tmp_path: Path) -> None:
    path, clock = tmp_path / "router.npz", FakeClock()
    trained(path, seed=0)
    judge = FreshJudge(path, 0.3, clock)
    [score] = await judge.judge(["hello"])
    path.write_bytes(b"not a model")
    clock.advance(LOOK_EVERY_S)
    assert await judge.judge(["hello"]) == [score]
    path.unlink()
    clock.advance(LOOK_EVERY_S)
    assert await judge.judge(["hello"]) == [score]


def test_no_model_to_begin_with_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyRejected, match=r"router\.npz"):
        FreshJudge(tmp_path / "router.npz", 0.3, FakeClock())

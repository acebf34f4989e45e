"""The file of a model, and the router that judges by it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from routing.learned_examples import learnable
from routing.plans import Desk, query, tiered

from serve_app.core.errors import PolicyRejected
from serve_app.routing.base import Judge
from serve_app.routing.learned.file import load, save
from serve_app.routing.learned.judge import LearnedRouter
from serve_app.routing.learned.training import train

LABELS = learnable(400)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "deep" / "router.npz"
    save(train(LABELS, date(2026, 11, 25), 0, lambda: None), path)
    return path


def changed(path: Path, target: Path, **arrays: Any) -> Path:
    """A copy with other arrays; None leaves one out."""
    with np.load(path) as stored:
        kept = {name: stored[name] for name in stored.files} | arrays
    np.savez(target, **{name: array for name, array in kept.items() if array is not None})
    return target


def test_a_model_that_was_saved_scores_as_before(path: Path) -> None:
    model = train(LABELS, date(2026, 11, 25), 0, lambda: None)
    stored = load(path).model
    prompts = [*learnable(50, seed=1).prompts, "", "你好", "x" * 9000]
    assert [stored.scorer.score(p) for p in prompts] == [model.scorer.score(p) for p in prompts]
    assert stored.about == model.about
    assert stored.threshold(0.3) == model.threshold(0.3)
    assert (stored.fair_scores(LABELS.prompts) == model.fair_scores(LABELS.prompts)).all()


def test_nothing_but_the_model_is_left_in_the_folder(path: Path) -> None:
    save(load(path).model, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["router.npz"]


@pytest.mark.parametrize("count", [1, 3, 200])
async def test_the_router_judges_a_batch_of_any_size_alike(path: Path, count: int) -> None:
    router: Judge = LearnedRouter.load(path, 0.3)
    scorer = load(path).model.scorer
    texts = learnable(count, seed=2).prompts
    assert await router.judge(texts) == [scorer.score(text) for text in texts]


async def test_requests_from_the_threshold_on_go_to_the_strong_tier(path: Path) -> None:
    router = LearnedRouter.load(path, 0.3)
    desk = Desk(tiered(learned={"file": str(path), "strong_share": 0.3}), judge=router)
    texts = learnable(60, seed=3).prompts
    plans = await desk.stage.plan([query(text=text) for text in texts])
    is_strong = [score >= router.threshold for score in await router.judge(texts)]
    assert [plan.tier == "strong" for plan in plans] == is_strong
    assert {True, False} == set(is_strong)


def test_another_model_in_the_same_place_has_another_digest(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "router.npz"
    copy.write_bytes(path.read_bytes())
    first = LearnedRouter.load(copy, 0.3).digest
    assert first == LearnedRouter.load(path, 0.9).digest
    save(train(LABELS, date(2026, 11, 25), 1, lambda: None), copy)
    assert LearnedRouter.load(copy, 0.3).digest != first


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"weights": None}, "weights"),
        ({"weights": np.zeros(7)}, "weights"),
        ({"weights": np.full(4096, np.nan)}, "not a number"),
        ({"features": np.full((80, 7), 99)}, "features"),
        ({"features": np.zeros((80, 7), np.float32)}, "features"),
        ({"quantiles": np.linspace(1, 0, 201)}, "rise"),
        ({"curve": np.array([0.0, np.inf, 0.0])}, "not a number"),
        ({"leaves": np.array(3.0)}, "as a trained router"),
        ({"about": np.frombuffer(b"{}", np.uint8)}, "format"),
        ({"about": np.array([{}], dtype=object)}, "as a trained router"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(
    path: Path, tmp_path: Path, arrays: dict[str, Any], reason: str
) -> None:
    broken = changed(path, tmp_path / "broken.npz", **arrays)
    with pytest.raises(PolicyRejected) as caught:
        LearnedRouter.load(broken, 0.3)
    assert str(caught.value).startswith(f"{broken}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("field", ["format", "features"])
def test_a_model_of_another_version_is_to_be_trained_again(
    path: Path, tmp_path: Path, field: str
) -> None:
    with np.load(path) as stored:
        about = json.loads(stored["about"].tobytes()) | {field: 99}
    raw = np.frombuffer(json.dumps(about).encode(), np.uint8)
    other = changed(path, tmp_path / "other.npz", about=raw)
    with pytest.raises(PolicyRejected, match="train it again"):
        LearnedRouter.load(other, 0.3)


@pytest.mark.parametrize("kept", [0, 100, 5000])
def test_a_cut_file_is_refused(path: Path, tmp_path: Path, kept: int) -> None:
    cut = tmp_path / "cut.npz"
    cut.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(PolicyRejected, match=r"cut.npz: cannot be used as a trained router"):
        LearnedRouter.load(cut, 0.3)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyRejected, match=r"none.npz: cannot be read: No such file"):
        LearnedRouter.load(tmp_path / "none.npz", 0.3)
    with pytest.raises(PolicyRejected, match="cannot be read"):
        LearnedRouter.load(tmp_path, 0.3)

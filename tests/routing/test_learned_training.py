from __future__ import annotations

import hashlib
from datetime import date
from math import inf
from pathlib import Path

import numpy as np
import pytest
from routing.learned_examples import REAL, learnable

from serve_app.routing.learned import growing, ridge
from serve_app.routing.learned.curve import Judged
from serve_app.routing.learned.evaluation import evaluate
from serve_app.routing.learned.file import save
from serve_app.routing.learned.labels import Example, Labels, LabelsRejected, read_labels
from serve_app.routing.learned.model import Model
from serve_app.routing.learned.training import STEPS, train
from serve_app.routing.learned.words import BUCKETS, buckets

DAY = date(2026, 11, 25)
SHARES = [tenth / 10 for tenth in range(1, 10)]


def trained(labels: Labels, seed: int = 0) -> Model:
    return train(labels, DAY, seed, lambda: None)


@pytest.fixture(scope="module")
def model() -> Model:
    return trained(learnable(1500))


def test_what_can_be_learned_is_learned_and_holds_for_fresh_examples(model: Model) -> None:
    evaluation = evaluate(learnable(800, seed=1), model)
    assert evaluation.learned is not None
    assert evaluation.trained_on == 0
    assert evaluation.learned.area > 0.6
    assert evaluation.not_above_rule(SHARES) == []


def test_the_held_back_figure_tells_what_fresh_examples_will(model: Model) -> None:
    fresh = evaluate(learnable(2000, seed=1), model).learned
    assert fresh is not None
    assert model.about.held_back_area == pytest.approx(fresh.area, abs=0.1)


def test_nothing_is_learned_where_there_is_nothing() -> None:
    draw = np.random.default_rng(0)
    labels = learnable(1500)
    noise = [
        Example(example.prompt, bool(draw.random() < 0.5), bool(draw.random() < 0.5))
        for example in labels.examples
    ]
    model = trained(Labels(noise, labels.digest))
    assert abs(model.about.held_back_area) < 0.1
    # The model itself has seen these labels and would do better; its fair scores must not.
    assert evaluate(Labels(noise, ""), model).learned.area == pytest.approx(  # type: ignore[union-attr]
        model.about.held_back_area, abs=1e-6
    )


def test_equal_prompts_are_held_back_together() -> None:
    """Else the copies of a prompt, labelled at random, would give each other away."""
    draw = np.random.default_rng(1)
    prompts = [f"{word} {draw.integers(10**6)}" for word in ["tide"] * 100]
    fates = {prompt: bool(draw.random() < 0.5) for prompt in prompts}
    copies = [Example(prompt, fates[prompt], True) for prompt in prompts for _ in range(6)]
    assert trained(Labels(copies, "")).about.held_back_area < 0.3


def test_examples_seen_in_training_are_judged_by_models_that_had_not_seen_them(
    model: Model,
) -> None:
    old, new = learnable(1500), learnable(100, seed=9)
    mixed = Labels([*old.examples[:50], *new.examples], "")
    evaluation = evaluate(mixed, model)
    assert evaluation.trained_on == 50
    fair = model.fair_scores(mixed.prompts)
    own = np.array([model.scorer.score(prompt) for prompt in mixed.prompts])
    assert (fair[:50] != own[:50]).all()
    assert (fair[50:] == own[50:]).all()


def test_a_threshold_sends_about_its_share_of_fresh_prompts(model: Model) -> None:
    scores = np.array([model.scorer.score(prompt) for prompt in learnable(2000, seed=2).prompts])
    for share in SHARES:
        assert (scores >= model.threshold(share)).mean() == pytest.approx(share, abs=0.1)
    assert model.threshold(0.0) == inf
    assert model.threshold(1.0) == 0.0


def test_a_score_is_the_chance_that_only_the_strong_model_does(model: Model) -> None:
    fresh = learnable(3000, seed=3)
    scores = np.array([model.scorer.score(prompt) for prompt in fresh.prompts])
    is_high = scores >= np.quantile(scores, 0.7)
    for part in (is_high, ~is_high):
        assert scores[part].mean() == pytest.approx((fresh.gains[part] > 0).mean(), abs=0.08)


def test_the_same_labels_day_and_seed_make_the_same_file(tmp_path: Path) -> None:
    digests = set()
    for name in ("a.npz", "b.npz"):
        save(trained(learnable(300)), tmp_path / name)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    save(trained(learnable(300), seed=1), tmp_path / "c.npz")
    assert hashlib.sha256((tmp_path / "c.npz").read_bytes()).hexdigest() not in digests


def test_real_examples_can_be_trained_on() -> None:
    steps: list[int] = []
    labels = read_labels(REAL)
    model = train(labels, DAY, 0, lambda: steps.append(1))
    assert len(steps) == STEPS
    assert model.about.examples == 240
    assert model.about.labels_sha256 == hashlib.sha256(REAL.read_bytes()).hexdigest()
    assert model.about.strong_accuracy > model.about.weak_accuracy
    assert all(0 < model.scorer.score(prompt) < 1 for prompt in labels.prompts)


def test_too_few_examples_and_nothing_to_win_are_refused() -> None:
    with pytest.raises(LabelsRejected, match="too few"):
        trained(learnable(20))
    same = [Example(f"prompt {i}", True, True) for i in range(100)]
    with pytest.raises(LabelsRejected, match="strong_correct"):
        trained(Labels(same, ""))


def test_ridge_solves_its_equations() -> None:
    texts = [buckets(prompt) for prompt in learnable(60).prompts]
    targets = learnable(60).gains
    sheet = np.zeros((60, BUCKETS))
    for row, own in enumerate(texts):
        sheet[row, own] = 1 / np.sqrt(len(own))
    centred = sheet - sheet.mean(axis=0)
    inner = centred @ centred.T + 20.0 * np.eye(60)
    exact = centred.T @ np.linalg.solve(inner, targets - targets.mean())
    found = ridge.fit(texts, targets)
    assert found.weights == pytest.approx(exact, abs=1e-6)
    assert found.value(texts[0]) == pytest.approx(
        targets.mean() + float(centred[0] @ exact), abs=1e-6
    )


def test_a_forest_finds_a_step_and_an_interaction() -> None:
    draw = np.random.default_rng(0)
    forms = draw.integers(0, 10, (3000, 5)).astype(float)
    is_high = (forms[:, 1] > 5) & (forms[:, 3] > 3)
    forest = growing.grow(forms, np.where(is_high, 1.0, -1.0))
    values = np.array([forest.value(form) for form in forms])
    assert values[is_high].min() > values[~is_high].max()


def test_a_forest_of_equal_forms_says_nothing() -> None:
    forest = growing.grow(np.ones((100, 3)), np.arange(100.0))
    assert forest.value(np.zeros(3)) == pytest.approx(0.0, abs=1e-9)


def test_an_unlearned_order_has_area_0() -> None:
    labels = learnable(200)
    judged = Judged(labels.weak, labels.strong)
    assert judged.area(judged.curve(np.zeros(200))) == 0.0

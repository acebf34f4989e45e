"""The arithmetic of curves, against what can be counted by hand or by brute force."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.routing.learned.curve import Judged

outcomes = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1, max_size=40
)


def judged(*rights: tuple[int, int]) -> Judged:
    """From pairs: was the weak model right, was the strong one."""
    weak, strong = zip(*rights, strict=True)
    return Judged(np.array(weak, float), np.array(strong, float))


HELPED, SAME, HARMED = (0, 1), (1, 1), (1, 0)


def test_the_highest_scores_go_to_the_strong_model_first() -> None:
    prompts = judged(SAME, HELPED, HARMED, HELPED)
    curve = prompts.curve(np.array([0.2, 0.9, 0.1, 0.8]))
    assert curve.accuracies.tolist() == [0.5, 0.75, 1.0, 1.0, 0.75]
    assert curve.accuracy(0.25) == 0.75
    assert curve.accuracy(0.125) == 0.625


def test_the_oracle_sends_what_is_helped_first_and_what_is_harmed_last() -> None:
    prompts = judged(HARMED, SAME, HELPED, SAME)
    assert prompts.oracle.accuracies.tolist() == [0.75, 1.0, 1.0, 1.0, 0.75]
    assert prompts.random.accuracies.tolist() == [0.75, 0.75, 0.75, 0.75, 0.75]


def test_the_area_is_1_for_the_oracle_0_for_random_and_below_for_the_reverse() -> None:
    prompts = judged(HELPED, SAME, SAME, HARMED, SAME)
    assert prompts.area(prompts.oracle) == 1.0
    assert prompts.area(prompts.random) == 0.0
    assert prompts.area(prompts.curve(-prompts.gains)) == pytest.approx(-1.0)


def test_where_nothing_can_be_won_the_area_is_0() -> None:
    prompts = judged(SAME, SAME)
    assert prompts.area(prompts.curve(np.array([0.1, 0.2]))) == 0.0


def test_equal_scores_count_as_the_mean_over_all_their_orders() -> None:
    gains = [(0, 1), (1, 1), (1, 0), (0, 1)]
    prompts, scores = judged(*gains), [0.5, 0.7, 0.5, 0.5]
    orders = [p for p in permutations(range(4)) if p[0] == 1]
    means = []
    for sent in range(5):
        right = [
            sum(gains[i][1] for i in order[:sent]) + sum(gains[i][0] for i in order[sent:])
            for order in orders
        ]
        means.append(sum(right) / len(right) / 4)
    assert prompts.curve(np.array(scores)).accuracies == pytest.approx(np.array(means))


@given(outcomes)
def test_every_curve_lies_below_the_oracle_and_meets_it_at_the_ends(
    rows: list[tuple[bool, bool, int]],
) -> None:
    prompts = judged(*((int(weak), int(strong)) for weak, strong, _ in rows))
    curve = prompts.curve(np.array([float(score) for *_, score in rows]))
    assert (curve.accuracies <= prompts.oracle.accuracies + 1e-9).all()
    assert curve.accuracies[0] == pytest.approx(prompts.weak.mean())
    assert curve.accuracies[-1] == pytest.approx(prompts.strong.mean())
    assert prompts.area(curve) <= 1.0 + 1e-9


@given(outcomes, st.randoms(use_true_random=False))
def test_the_order_of_the_examples_does_not_matter(
    rows: list[tuple[bool, bool, int]], draw: object
) -> None:
    def curve(of: list[tuple[bool, bool, int]]) -> np.ndarray:
        prompts = judged(*((int(weak), int(strong)) for weak, strong, _ in of))
        return prompts.curve(np.array([float(score) for *_, score in of])).accuracies

    shuffled = list(rows)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    assert curve(rows) == pytest.approx(curve(shuffled))

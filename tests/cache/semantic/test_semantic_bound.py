"""The share of wrong hits stays within the bound, whatever the judge is like."""

from __future__ import annotations

import math
from collections import defaultdict
from random import Random

import pytest

from serve_app.cache.semantic.bound import Bound, Observation
from serve_app.config.policy import SemanticPolicy

RIGHT, WRONG = Observation(0.997, True), Observation(0.997, False)


def bound(**fields: float) -> Bound:
    return Bound(SemanticPolicy.model_validate(fields), Random(1))


def test_a_judge_that_is_sure_is_believed_and_one_that_is_not_is_not() -> None:
    assert bound().is_enough(0.997, [])
    assert not bound().is_enough(0.97, [])
    assert bound(max_wrong=0.05).is_enough(0.97, [])


def test_one_wrong_answer_takes_a_question_out_and_many_right_ones_bring_it_back() -> None:
    assert not bound().is_enough(0.997, [WRONG])
    assert not bound().is_enough(0.997, [WRONG, RIGHT, RIGHT, RIGHT])
    assert bound().is_enough(0.997, [WRONG, *[RIGHT] * 400])


def test_right_answers_make_a_question_serve_at_less() -> None:
    seen = [Observation(0.98, True)] * 60
    assert bound(max_wrong=0.03).wrong(0.98, seen) < bound(max_wrong=0.03).wrong(0.98, [])


def test_at_the_beginning_most_is_verified_and_later_the_share_of_the_policy() -> None:
    judged = bound(verify_share=0.02)
    first = [judged.decide(0.998, []) for _ in range(50)]
    assert first.count("verify") > 40
    for _ in range(1000):
        judged.observe(Observation(0.998, True))
    later = [judged.decide(0.998, []) for _ in range(5000)]
    assert 50 <= later.count("verify") <= 160
    assert later.count("serve") == 5000 - later.count("verify")


def test_without_verifying_every_sufficient_hit_is_served() -> None:
    judged = bound(verify_share=0.0)
    assert {judged.decide(0.998, []) for _ in range(200)} == {"serve"}
    assert {judged.decide(0.9, []) for _ in range(200)} == {"pass"}


def run(delta: float, truth: float | None, rounds: int = 20_000) -> tuple[list[bool], list[int]]:
    """Lookups of 100 questions; whether each served answer was wrong, and in which round.

    Args:
        truth: how often an answer is right, whatever the judge says; None: as it says, but for
            each question by another logit more or less.
    """
    rng = Random(7)
    judged = Bound(SemanticPolicy(max_wrong=delta), Random(3))
    observed: dict[int, list[Observation]] = defaultdict(list)
    bias = {name: rng.gauss(0.0, 0.5) for name in range(100)}
    wrong, at = [], []
    for number in range(rounds):
        name, score = rng.randrange(100), 1.0 - rng.random() ** 3 * 0.5
        score = min(score, 0.9999)
        sure = math.log(score / (1 - score)) + bias[name]
        right = rng.random() < (truth if truth is not None else 1 / (1 + math.exp(-sure)))
        decision = judged.decide(score, observed[name])
        if decision == "verify":
            seen = Observation(score, right)
            observed[name].append(seen)
            judged.observe(seen)
        elif decision == "serve":
            wrong.append(not right)
            at.append(number)
    return wrong, at


@pytest.mark.parametrize("delta", [0.01, 0.02, 0.05])
def test_the_share_of_wrong_hits_stays_within_the_bound(delta: float) -> None:
    wrong, at = run(delta, None)
    share = sum(wrong) / len(wrong)
    assert share <= delta + 2 * math.sqrt(delta / len(wrong))
    assert len(wrong) > 2000, "it serves"
    assert sum(n > 10_000 for n in at) >= sum(n <= 10_000 for n in at), "and not less with time"


def test_a_judge_that_is_much_too_sure_is_caught() -> None:
    wrong, at = run(0.01, truth=0.8)
    early = sum(number < 2000 for number in at)
    assert len(at) - early <= 20, "after some hundred lookups next to nothing is served"
    assert sum(wrong) < 40

"""What the learned router sees of a text."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.routing.learned.form import FORM, form
from serve_app.routing.learned.marks import marks
from serve_app.routing.learned.words import BUCKETS, buckets


def number(text: str, name: str) -> float:
    return float(form(text)[FORM.index(name)])


@given(st.text(max_size=400))
def test_any_text_has_finite_marks_in_their_bounds(text: str) -> None:
    seen = marks(text)
    assert seen.form.shape == (len(FORM),)
    assert np.isfinite(seen.form).all()
    assert (np.diff(seen.buckets) > 0).all()
    assert all(0 <= bucket < BUCKETS for bucket in seen.buckets)


def test_a_lone_surrogate_is_not_an_error() -> None:
    assert len(marks("a \ud800 b").buckets) > 0


def test_words_count_once_in_any_case() -> None:
    assert buckets("Prove prove PROVE").tolist() == buckets("prove").tolist()
    assert len(buckets("prove it, twice")) == 4


def test_chinese_is_read_by_characters() -> None:
    assert set(buckets("证明")) == set(buckets("证")) | set(buckets("明"))
    assert set(buckets("GPU证")) == set(buckets("gpu")) | set(buckets("证"))


def test_buckets_are_the_same_in_every_process() -> None:
    program = (
        "from serve_app.routing.learned.words import buckets\n"
        "print(buckets('Why is the sky blue? 天').tolist())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {f"{buckets('Why is the sky blue? 天').tolist()}\n"}


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Pick one.\nA. red\nB. greenish", "choices", 2),
        ("Pick one.\nA. red\nB. greenish", "choice_spread", 2.5),
        ("Pick one.\nA. 12\nB. 34", "choice_digit_share", 0.8),
        ("Pick one.", "choices", 0),
        ("1234 abcde", "digit_share", 0.4),
        ("Is it so?", "ends_asking", 1),
        ("Is it so?\nA. yes", "ends_asking", 1),
        ("It is so.", "ends_asking", 0),
        ("Which is not red?", "negation", 1),
        ("Which doesn't fit?", "negation", 1),
        ("Tie a knot", "negation", 0),
        ("The ___ is blue", "blank", 1),
        ("one two one two", "distinct_words", 0.5),
        ("AB cd", "capital_share", 0.4),
    ],
)
def test_the_form_counts_what_it_says(text: str, name: str, value: float) -> None:
    assert number(text, name) == pytest.approx(value)


def test_of_a_very_long_text_head_and_tail_are_read() -> None:
    long = "lorem ipsum " * 100_000 + "integral"
    assert set(buckets("integral")) <= set(marks(long).buckets)
    assert marks(long).form[FORM.index("chars")] < np.log1p(4100)

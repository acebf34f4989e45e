from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.routing.need import need
from serve_app.routing.signals import SIGNALS

PROMPTS = json.loads((Path(__file__).parent / "need_prompts.json").read_text(encoding="utf-8"))
MIDDLE = 0.4


def score(text: str, turns: int = 1) -> float:
    return need(text, turns)[0]


def signals(text: str, turns: int = 1) -> dict[str, float]:
    return need(text, turns)[1]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_tells_hard_prompts_from_easy_ones(language: str) -> None:
    prompts = [p for p in PROMPTS if p["text"].isascii() == (language == "en")]
    right = [p for p in prompts if (score(p["text"]) >= MIDDLE) == p["hard"]]
    assert len(prompts) >= 20
    assert len(right) / len(prompts) >= 0.85


def test_easy_prompts_stay_clear_of_the_strong_tier() -> None:
    easy = [p["text"] for p in PROMPTS if not p["hard"]]
    assert sum(score(text) < 0.25 for text in easy) / len(easy) >= 0.9
    assert all(score(text) < 0.55 for text in easy)


def test_most_hard_prompts_reach_the_strong_tier() -> None:
    hard = [p["text"] for p in PROMPTS if p["hard"]]
    assert sum(score(text) >= 0.55 for text in hard) / len(hard) >= 0.75


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("Prove it.", "proof"),
        ("请证明这一点", "proof"),
        ("我们来做对比", "comparison"),
        ("What breaks if x = 3?", "formula"),
        ("Pick one.\nA. red\nB. green", "choices"),
        ("I have 3 apples and buy 4 more. How many now?", "quantities"),
        ("小明有3个苹果，又买了4个，一共多少个？", "quantities"),
        ("Use ```code```", "code"),
        ("为什么？", "reason_why"),
        ("Who? Where? When?", "questions"),
    ],
)
def test_names_the_signal_it_saw(text: str, signal: str) -> None:
    assert signals(text)[signal] > 0


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("Hello there", "greeting"),
        ("你好，世界", "greeting"),
        ("translate it", "translation"),
        ("翻译一下", "translation"),
    ],
)
def test_a_chore_speaks_against_reasoning(text: str, signal: str) -> None:
    assert signals(text)[signal] < 0
    assert score(text) == 0


def test_a_word_inside_a_longer_one_is_not_that_word() -> None:
    assert "proof" in signals("the proof of it")
    assert "proof" not in signals("a waterproofed and improved coat")


def test_a_greeting_counts_only_at_the_start() -> None:
    assert "greeting" not in signals("They said hello")


def test_quantities_count_only_where_one_is_asked_for() -> None:
    assert "quantities" not in signals("I have 3 apples and 4 pears.")
    assert not any(weight == 0 for weight in signals("How many apples?").values())


def test_a_greeting_does_not_hide_a_hard_question() -> None:
    hard = "Hello! Prove that the sum of two even numbers is even, step by step."
    assert score(hard) >= 0.5


def test_repetition_adds_nothing() -> None:
    assert signals("prove prove prove")["proof"] == signals("prove")["proof"]


def test_a_long_conversation_adds_a_little() -> None:
    assert score("Prove it.", turns=1) < score("Prove it.", turns=9) == score("Prove it.", 9)
    assert score("Prove it.", turns=11) == score("Prove it.", turns=500)


def test_the_end_of_a_very_long_text_is_read() -> None:
    assert "proof" in signals("lorem ipsum " * 50_000 + "prove it")


@given(st.text(max_size=300), st.integers(0, 1000))
def test_any_text_has_a_score_that_its_signals_explain(text: str, turns: int) -> None:
    value, found = need(text, turns)
    assert 0.0 <= value < 1.0
    assert (value > 0) == (sum(found.values()) > 0)
    assert need(text, turns) == (value, found)


def test_a_lone_surrogate_is_not_an_error() -> None:
    assert score("prove \ud800 it") > 0


def test_words_are_lower_case_and_not_empty() -> None:
    for signal in SIGNALS:
        for word in (*signal.english.split("|"), *signal.chinese.split("|")):
            assert word
            assert word == word.lower().strip()

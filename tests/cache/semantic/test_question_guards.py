"""Pairs that no likeness may bring together, and pairs that it should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.cache.semantic.judge import PairJudge

JUDGE = PairJudge()

FORBIDDEN = [
    ("numbers", "Can I return it after 14 days?", "Can I return it after 40 days?"),
    ("numbers", "How much is the Pro plan for 5 users?", "How much is the Pro plan for users?"),
    ("numbers", "What is 5 to the power of 3?", "What is 3 to the power of 5?"),
    ("numbers", "退货需要三天内申请吗", "退货需要五天内申请吗"),
    ("negation", "Which plans include calls?", "Which plans don't include calls?"),
    ("negation", "孕妇能吃螃蟹吗", "孕妇不能吃螃蟹吗"),
    ("opposites", "How do I enable dark mode?", "How do I disable dark mode?"),
    ("opposites", "Is it safe to eat?", "Is it unsafe to eat?"),
    ("opposites", "How do I archive a project?", "How do I unarchive a project?"),
    ("opposites", "Are you open on Saturday?", "Are you open on Sunday?"),
    ("opposites", "如何开启夜间模式", "如何关闭夜间模式"),
    ("direction", "How do I convert yen to won?", "How do I convert won to yen?"),
    ("direction", "Trains from York to Leeds?", "Trains from Leeds to York?"),
    ("order", "Does Arsenal beat Chelsea today?", "Does Chelsea beat Arsenal today?"),
    ("order", "人民币换美元的汇率是多少", "美元换人民币的汇率是多少"),
    ("kind of answer", "Where do I apply for a loan?", "When do I apply for a loan?"),
    ("kind of answer", "Why was my order cancelled?", "When was my order cancelled?"),
    ("scope", "Delete all my messages", "Delete only my messages"),
    ("scope", "Is it faster than a train?", "Is it as fast as a train?"),
    ("names", "Where is my order from Amazon?", "Where is my order from ASOS?"),
    ("identifiers", "How do I reset the XR200x?", "How do I reset the XR300x?"),
    ("code", "What does `a = 1` do?", "What does `a = 2` do?"),
    ("language", "How do I cancel my order?", "怎么取消订单"),
]

ALIKE = [
    ("How do I cancel my order?", "how can i cancel my order??"),
    ("How do I cancel my order?", "Hi, how do I cancel my order please? Thanks!"),
    ("What is the capital of Australia?", "WHAT IS THE CAPITAL OF AUSTRALIA"),
    ("How do I apply for a licence?", "How do I aply for a license?"),
    ("What's the quickest way to learn Spanish?", "What is the fastest way to learn Spanish?"),
    ("Can I pay by card at the pharmacy?", "At the pharmacy, can I pay by card?"),
    ("How much does a boiler service cost?", "What's the price of a boiler service?"),
    ("请问信用卡账单怎么查询？", "信用卡帐單怎麼查"),
    ("你好，怎么退款呢？谢谢", "如何退款"),
]


@pytest.mark.parametrize(("why", "one", "other"), FORBIDDEN)
def test_a_guard_forbids_whatever_the_vectors_say(why: str, one: str, other: str) -> None:
    assert JUDGE.opinion(one, other, 1.0) == (0.0, why)
    assert JUDGE.opinion(other, one, 1.0).score == 0.0


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_the_same_question_is_known_again(one: str, other: str) -> None:
    found = JUDGE.opinion(one, other, 0.97)
    assert not found.why
    assert found.score > 0.99


@given(st.text(max_size=80), st.text(max_size=80), st.floats(-1, 1))
def test_any_two_texts_can_be_judged_and_the_order_says_nothing(
    one: str, other: str, cosine: float
) -> None:
    score = JUDGE.opinion(one, other, cosine).score
    assert 0.0 <= score <= 1.0
    assert JUDGE.opinion(other, one, cosine).score == pytest.approx(score, abs=1e-9)


@given(st.text(min_size=1, max_size=80))
def test_nothing_forbids_a_text_itself(text: str) -> None:
    assert not JUDGE.opinion(text, text, 1.0).why


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Wie schalte ich das Licht an?", "Wie schalte ich das Licht aus?"),
        ("¿Puedo pagar con tarjeta?", "¿Puedo pagar sin tarjeta?"),
        ("Как включить звук?", "Как выключить звук?"),
        ("Comment annuler ma commande ?", "Comment suivre ma commande ?"),
    ],
)
def test_in_languages_it_does_not_know_only_the_same_words_will_do(one: str, other: str) -> None:
    assert JUDGE.opinion(one, other, 1.0).score == 0.0
    assert JUDGE.opinion(one, one.lower().rstrip("?") + " ?", 1.0).score > 0.99


def test_answers_are_alike_only_with_the_same_numbers_and_polarity() -> None:
    assert JUDGE.alike("You can return it within 14 days.", "Returns: within two weeks.", 0.9)
    assert not JUDGE.alike("You can return it within 14 days.", "Returns: within 30 days.", 0.95)
    assert not JUDGE.alike("Yes, you can.", "No, you can not.", 0.95)
    assert not JUDGE.alike("Paris is in France.", "Berlin is in Germany.", 0.4)
    assert JUDGE.alike("Paris.", " Paris. ", 0.0)

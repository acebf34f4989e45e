from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.routing.estimate import estimate_messages, estimate_tokens

# Counted with OpenAI's o200k tokenizer.
COUNTED = {
    "The quick brown fox jumps over the lazy dog and runs away.": 13,
    "人工智能代理网关为团队的代理和应用提供统一的接口，它过滤输入和输出。": 21,
    "Это тест. Шлюз для агентов искусственного интеллекта предоставляет единый интерфейс.": 20,
    "これはテストです。人工知能エージェントゲートウェイは、チームのエージェントとアプリに": 29,
    "이것은 테스트입니다. 인공지능 에이전트 게이트웨이는 팀에 통합된 인터페이스를 제공합니다.": 28,
    "😀😁😂🤣😃😄😅😆😉😊🎉🔥": 17,
}


@pytest.mark.parametrize(("text", "tokens"), COUNTED.items())
def test_is_within_a_third_of_a_real_tokenizer(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == pytest.approx(tokens, rel=0.34)


def test_nothing_is_no_token_and_anything_at_least_one() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("a") == 1
    assert estimate_tokens("é") == 1


@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_is_never_fewer_tokens(a: str, b: str) -> None:
    assert estimate_tokens(a + b) >= estimate_tokens(a) - 1


def test_a_very_long_text_is_sampled_and_still_right() -> None:
    short = "统一接口 and some English 与中文. "
    exact = estimate_tokens(short * 1000) * 1000
    assert estimate_tokens(short * 1_000_000) == pytest.approx(exact, rel=0.02)


def test_each_message_adds_what_the_template_adds() -> None:
    texts = ["Hello there", "你好"]
    assert estimate_messages(texts) > sum(map(estimate_tokens, texts))
    assert estimate_messages([]) == 0


def test_lone_surrogates_count_like_others() -> None:
    assert estimate_tokens("\ud800" * 10) == estimate_tokens("😀" * 5)

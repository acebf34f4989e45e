"""The language of an answer: what the caller accepts, else what the caller writes."""

from __future__ import annotations

import pytest

from serve_app.ingress.language import accepted, language_of, words_for

WORDS = {"en": "Busy.", "zh": "忙。", "pt-BR": "Ocupado.", "de": "Beschäftigt."}


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", []),
        ("de", ["de"]),
        ("en;q=0.3, de, zh-CN;q=0.8", ["de", "zh-cn", "en"]),
        ("en;q=0.5,zh;q=0.5", ["en", "zh"]),
        ("EN-us ; q=1.000, fr;q=0.001", ["en-us", "fr"]),
        ("de;q=0, en;q=0.1", ["en"]),
        ("*, de;q=0.5", ["de"]),
        ("de;q=2, en;q=1.5, fr;q=-1, it;q=x, es;q=0.1234, zh", ["zh"]),
        (",,;q=1, -, de_DE, 中文, en", ["en"]),
        ("a" * 5000, []),
    ],
)
def test_ranges_are_ordered_by_quality(header: str, tags: list[str]) -> None:
    assert accepted(header) == tags


def test_a_header_without_end_is_read_to_a_point() -> None:
    assert len(accepted(",".join(["de"] * 10_000))) <= 32


@pytest.mark.parametrize(
    ("text", "language"),
    [("你好，世界", "zh"), ("Hello 世界", "zh"), ("こんにちは世界", "ja"), ("hello", ""), ("", "")],
)
def test_the_language_of_a_text_is_seen_in_its_characters(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("accept", "text", "said"),
    [
        ("de-AT, en;q=0.9", "hello", "Beschäftigt."),
        ("pt", "hello", "Ocupado."),
        ("pt-PT", "hello", "Ocupado."),
        ("zh-Hans-CN", "hello", "忙。"),
        ("fr, de;q=0.1", "你好", "Beschäftigt."),
        ("fr", "你好", "忙。"),
        (None, "你好", "忙。"),
        (None, "hello", "Busy."),
        ("*", "hello", "Busy."),
        ("en", "你好", "Busy."),
    ],
)
def test_the_caller_is_answered_in_its_language(accept: str | None, text: str, said: str) -> None:
    assert words_for(WORDS, accept, text) == said


def test_without_the_language_there_are_still_words() -> None:
    assert words_for({"de": "Beschäftigt.", "fr": "Occupé."}, "zh", "hello") == "Beschäftigt."
    assert words_for("Busy.", "zh", "你好") == "Busy."

"""Whole words of a list, wherever they stand; bad lists are refused with their place."""

from pathlib import Path

import pytest

from serve_app.config.policy import WordsRule
from serve_app.core.errors import PolicyRejected
from serve_app.filters.wordlist import MAX_FILE_BYTES
from serve_app.filters.words import WordsFinder


def finder(*words: str, file: Path | str | None = None, leet: bool = True) -> WordsFinder:
    name = None if file is None else str(file)
    rule = WordsRule(name="x", kind="words", words=list(words), file=name, leet=leet)
    return WordsFinder(rule, "filter.rules['x']")


def found(text: str, *words: str) -> list[str]:
    return [text[match.start : match.end] for match in finder(*words).find(text)]


@pytest.mark.parametrize("text", ["classic", "Scunthorpe", "assess", "pass", "ass1", "grassé"])
def test_part_of_a_word_is_no_hit(text: str) -> None:
    assert found(text, "ass", "cunt") == []


@pytest.mark.parametrize(
    "text", ["ASS", "an ass.", "ass_", "(ass)", "а-ass!", "驴ass驴", "@ass.tv"]
)
def test_whole_word_is_a_hit(text: str) -> None:
    assert [word.lower() for word in found(text, "ass")] == ["ass"]


def test_han_words_need_no_boundary() -> None:
    assert found("请教我制造炸弹的方法", "制造炸弹") == ["制造炸弹"]


def test_separators_beside_han_are_no_part_of_a_word() -> None:
    assert found("中-炸了", "-炸*") == ["炸"]


def test_words_that_overlap_are_one() -> None:
    assert found("a bomb maker kit, a bomb", "bomb maker", "maker kit", "bomb") == [
        "bomb maker kit",
        "bomb",
    ]


def test_words_side_by_side_are_two() -> None:
    assert found("炸弹弹药", "炸弹", "弹药") == ["炸弹", "弹药"]


def test_longer_word_that_is_not_whole_hides_no_shorter_one() -> None:
    assert found("two bomb makers", "bomb", "bomb maker") == ["bomb"]


def test_a_list_has_any_or_none() -> None:
    topics = finder("refund", "退款")
    assert topics.has_any("Where is my ＲＥＦＵＮＤ?")
    assert topics.has_any("我要退 款")
    assert not topics.has_any("refunds are unrelated, 付款")


def test_large_lists_are_searched_whole() -> None:
    words = [f"{a}{b}" for a in map(chr, range(0x4E00, 0x4E00 + 300)) for b in "甲乙丙丁戊" * 40]
    many = finder(*(f"{word}{i}" for i, word in enumerate(words)))
    for word in (f"{words[0]}0", f"{words[30_000]}30000", f"{words[-1]}{len(words) - 1}"):
        assert len(many.find(f"a {word} b")) == 1
    assert many.find("a 丁0 b") == []


def test_file_has_comments_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes("\ufeff# comment\n\n  Foo  \n坏词\n".encode())
    words = finder(file=file)
    assert words.find("foo") == [("word", 0, 3)]
    assert words.find("有坏词") == [("word", 1, 3)]
    assert words.find("comment") == []


@pytest.mark.parametrize("file", ["words/en.txt", "words/zh.txt"])
def test_shipped_lists_load(file: str) -> None:
    assert finder(file=file).find("a perfectly harmless text, 完全无害") == []


def test_lists_with_the_same_words_have_the_same_digest() -> None:
    assert finder("a", "B").digest == finder("b", "Ａ", "a").digest != finder("a").digest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"words": ["ok", "\u200b"]}, r"filter.rules\['x'\].words\[1\]: .* no character"),
        ({"words": ["a" * 201]}, r"filter.rules\['x'\].words\[0\]: longer than 200"),
        ({}, r"filter.rules\['x'\]: no words"),
        ({"file": "words/none.txt"}, r"filter.rules\['x'\].file: 'words/none.txt'"),
        ({"file": "../pyproject.toml"}, r"filter.rules\['x'\].file: '../pyproject.toml'"),
        ({"file": "/"}, r"filter.rules\['x'\].file: '/': Is a directory"),
    ],
)
def test_a_list_that_cannot_work_is_refused(words: dict[str, object], message: str) -> None:
    rule = WordsRule.model_validate({"name": "x", "kind": "words", **words})
    with pytest.raises(PolicyRejected, match=message):
        WordsFinder(rule, "filter.rules['x']")


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "w.txt"
    file.write_text("fine\n# ok\n\u2060\u2060\n", encoding="utf-8")
    with pytest.raises(PolicyRejected, match=r"w\.txt:3: .* no character"):
        finder(file=file)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyRejected, match="not UTF-8"):
        finder(file=file)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.txt"
    with file.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(PolicyRejected, match="larger than"):
        finder(file=file)

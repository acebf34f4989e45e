"""Whole words of every list, whatever their disguise; bad lists are refused with their place."""

from pathlib import Path

import pytest

from serve_app.config.policy import WordList
from serve_app.core.errors import PolicyRejected
from serve_app.filters.normalize import fold
from serve_app.filters.words import MAX_FILE_BYTES, Lexicon


def found(text: str, *words: str) -> list[str]:
    folded = fold(text)
    hits = Lexicon([WordList(name="w", words=list(words))]).search(folded)
    return [folded[span.start : span.end] for span in hits.get(0, [])]


@pytest.mark.parametrize("text", ["classic", "Scunthorpe", "assess", "pass", "ass1", "grassé"])
def test_part_of_a_word_is_no_hit(text: str) -> None:
    assert found(text, "ass", "cunt") == []


@pytest.mark.parametrize(
    "text", ["ASS", "an ass.", "ass_", "(ass)", "ａｓｓ", "а-ass!", "驴ass驴", "a\u200bss"]
)
def test_whole_word_is_a_hit(text: str) -> None:
    assert found(text, "ass") == ["ass"]


def test_han_words_need_no_boundary() -> None:
    assert found("请教我制造炸弹的方法", "制造炸弹") == ["制造炸弹"]
    assert found("制 造 *炸\u200b弹", "制造炸弹") == ["制造炸弹"]


def test_longest_of_two_words_wins() -> None:
    assert found("a bomb maker", "bomb", "bomb maker") == ["bomb maker"]


def test_longer_word_that_is_not_whole_hides_no_shorter_one() -> None:
    assert found("two bomb makers", "bomb", "bomb maker") == ["bomb"]


def test_every_list_gets_its_own_hits() -> None:
    lexicon = Lexicon(
        [WordList(name="a", words=["red", "Red Hat"]), WordList(name="b", words=["ｒｅｄ"])]
    )
    hits = lexicon.search("red hat, red")
    assert {number: len(spans) for number, spans in hits.items()} == {0: 2, 1: 2}


def test_file_has_comments_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes("\ufeff# comment\n\n  Foo  \n坏词\n".encode())
    lexicon = Lexicon([WordList(name="f", file=str(file))])
    assert lexicon.search("foo") == {0: [(0, 3)]}
    assert lexicon.search("有坏词") == {0: [(1, 3)]}
    assert lexicon.search("comment") == {}


@pytest.mark.parametrize("file", ["words/en.txt", "words/zh.txt"])
def test_shipped_lists_load(file: str) -> None:
    lexicon = Lexicon([WordList(name="shipped", file=file)])
    assert lexicon.search("a perfectly harmless text, 完全无害") == {}


def test_no_list_no_hit() -> None:
    assert Lexicon([]).search("anything") == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"words": ["ok", "\u200b"]}, r"filter.words\['x'\].words\[1\]: .* no character"),
        ({"words": ["a" * 201]}, r"filter.words\['x'\].words\[0\]: longer than 200"),
        ({}, r"filter.words\['x'\]: no words"),
        ({"file": "words/none.txt"}, r"filter.words\['x'\].file: 'words/none.txt'"),
        ({"file": "../pyproject.toml"}, r"filter.words\['x'\].file: '../pyproject.toml'"),
        ({"file": "/"}, r"filter.words\['x'\].file: '/': Is a directory"),
    ],
)
def test_a_list_that_cannot_work_is_refused(words: dict[str, object], message: str) -> None:
    with pytest.raises(PolicyRejected, match=message):
        Lexicon([WordList.model_validate({"name": "x", **words})])


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "w.txt"
    file.write_text("fine\n# ok\n\u2060\u2060\n", encoding="utf-8")
    with pytest.raises(PolicyRejected, match=r"w\.txt:3: .* no character"):
        Lexicon([WordList(name="x", file=str(file))])


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyRejected, match="not UTF-8"):
        Lexicon([WordList(name="x", file=str(file))])


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.txt"
    with file.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(PolicyRejected, match="larger than"):
        Lexicon([WordList(name="x", file=str(file))])


def test_names_are_unique() -> None:
    with pytest.raises(PolicyRejected, match="got twice: x"):
        Lexicon([WordList(name="x", words=["a"]), WordList(name="x", words=["b"])])

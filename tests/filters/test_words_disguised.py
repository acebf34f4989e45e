"""Every disguise of a word is seen through, the whole of it is found, and no more than that."""

import pytest

from serve_app.config.policy import WordsRule
from serve_app.filters.letters import GAP
from serve_app.filters.words import WordsFinder

WORDS = [
    "kill",
    "ass",
    "badly",
    "password",
    "kill him",
    "idiot",
    "straße",
    "炸弹",
    "制造炸弹",
    "药",
]


def finder(*, leet: bool = True) -> WordsFinder:
    rule = WordsRule(name="x", kind="words", words=WORDS, leet=leet)
    return WordsFinder(rule, "x")


FINDER = finder()
PLAIN = finder(leet=False)

DISGUISES = {
    "case": ["KiLL", "STRASSE", "Straße", "STRAẞE"],
    "compatibility": ["𝓴𝓲𝓵𝓵", "ⓚⓘⓛⓛ", "🅺🅸🅻🅻", "ᵏⁱˡˡ", "paſſword"],
    "full width": ["ｋｉｌｌ", "ＫＩＬＬ　ＨＩＭ", "ｐａｓｓword"],
    "marks": ["k\u0301i\u0336l\u0489l", "kíll", "p̷a̷s̷s̷w̷o̷r̷d", "kİll"],
    "zero width": ["k\u200bi\u200cl\u2060l", "k\u00adi\u00adl\u00adl", "炸\u200b弹"],
    "bidi controls": ["k\u202ei\u2066l\u200fl", "制\u202d造炸\u2069弹"],
    "tags and variants": ["k\U000e0061ill", "炸\ufe0f弹", "ki\u034fll"],
    "control characters": ["k\x00i\x08l\x7fl"],
    "homoglyphs": ["кіӏӏ", "раѕѕwоrd", "ρаѕѕᴡоrԁ", "ᴋill"],
    "spaced out": ["k i l l", "k.i.l.l", "k-i_l*l", "p|a|s|s|w|o|r|d", "k i l l   h i m"],
    "spaced out and wide": ["ｋ　ｉ　ｌ　ｌ", "к і l l"],
    "leetspeak": ["k1ll", "K!LL", "@ss", "a$$", "4ss", "b4dly", "p@55w0rd", "pa55w0rd", "1d1o+"],
    "leetspeak, 1 as an l": ["ki1l", "ki11", "bad1y"],
    "leetspeak spaced out": ["k 1 l l", "p @ $ $ w 0 r d"],
    "leetspeak in full width": ["ｋ１ｌｌ", "＠ｓｓ"],
    "white space": ["kill\n\t him", "kill\u3000\u00a0him"],
    "traditional": ["炸彈", "製造炸彈", "藥", "藥\ufe00"],
    "separated Han": ["炸 弹", "炸*弹", "炸...弹", "制·造|炸/彈", "炸＊彈", "炸-弹"],
}
CASES = [(kind, text) for kind, texts in DISGUISES.items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), CASES)
@pytest.mark.parametrize("around", ["{}", "oh, {}!", "他说{}。", "xy {} yx"])
def test_a_disguised_word_is_found_whole(kind: str, text: str, around: str) -> None:
    sent = around.format(text)
    start = sent.index(text)
    assert FINDER.find(sent) == [("word", start, start + len(text))], kind


@pytest.mark.parametrize(
    "text",
    [
        "455 and 4,55 or 1 4 5 5",  # numbers are no words
        "A55 phones, an a5 5",
        "$$$ @5$",
        "skills, assess, bass, k illness",
        "a. kil l",
        "p a s s w o r d s",
        "x k i l l",
        "炸酱面弹琴",
        "炸了。弹回",
        "炸....弹",  # as far apart as words of a sentence
        "kill" + "x\u200b",
    ],
)
def test_what_only_looks_like_a_word_is_none(text: str) -> None:
    assert FINDER.find(text) == []


def test_leetspeak_is_read_only_where_the_rule_says_so() -> None:
    assert PLAIN.find("k1ll") == []
    assert PLAIN.find("kill") == [("word", 0, 4)]


def test_a_line_feed_is_no_symbol() -> None:
    rule = WordsFinder(WordsRule(name="x", kind="words", words=["vitamin b iz"]), "x")
    assert rule.find("vitamin b\n12") == []


def test_a_mark_that_ends_a_sentence_is_no_letter() -> None:
    assert [(m.start, m.end) for m in FINDER.find("a$$! @ss!!")] == [(0, 3), (5, 8)]


def test_the_marks_behind_a_word_are_part_of_it() -> None:
    assert FINDER.find("x ki\u0301ll\u0323\u200b y") == [("word", 2, 9)]


def test_a_ligature_is_found_whole() -> None:
    rule = WordsRule(name="x", kind="words", words=["fine", "炸弹"])
    assert WordsFinder(rule, "x").find("a ﬁne day") == [("word", 2, 5)]


@pytest.mark.parametrize("filler", ["\u200b", "\u0301", " "])
def test_a_disguise_has_an_end(filler: str) -> None:
    text = "kill{}him" if filler == " " else "ki{}ll"
    within = text.format(filler * GAP)
    assert FINDER.find(within)[-1] == ("word", 0, len(within))
    beyond = FINDER.find(text.format(filler * (GAP + 1)))
    assert beyond == ([("word", 0, 4)] if filler == " " else [])


def test_redaction_leaves_every_other_character_as_it_was() -> None:
    text = "Ｄｅａｒ  ﬁrst\u200b\tｋ１ｌｌ，ｈéllo 炸 彈\u0301！\u202e bye"
    parts, position = [], 0
    for match in FINDER.find(text):
        parts += text[position : match.start], "#"
        position = match.end
    assert "".join([*parts, text[position:]]) == ("Ｄｅａｒ  ﬁrst\u200b\t#，ｈéllo #！\u202e bye")

"""Words are found in pieces of a text as in the whole, and little of it has to wait."""

import pytest
from arriving import found_in_pieces, in_two, one_by_one
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serve_app.config.policy import WordsRule
from serve_app.filters.letters import GAP
from serve_app.filters.words import WordsFinder

WORDS = [
    "a", "ab", "a b", "ass", "kill", "bad word", "pass of", "idiot", "c++", ".net", "-x", "fi",
    "哈哈", "炸", "炸弹", "弹药", "制造炸弹", "x弹", "弹 x", "法轮o", "maker kit", "bomb maker",
    "make bomb", "a.b.c", "!x", "22", "中.a",
]  # fmt: skip
ZERO = "\u200b"
HAN = "".join(map(chr, range(0x4E00, 0x4E28)))
CHARS = "abckilpsdo15$@!+0.*-_|~\n\u200b\u0301 哈炸弹彈制造法轮éﬁßİ\u3000ａа"
PHRASES = ["   ", "k i l l", "k1ll", "b 4 d", "@ss", "p a s s   o f", "炸 弹", "哈" * 20, "a " * 20]
PARTS = st.sampled_from([*CHARS, *WORDS, *PHRASES])
GAPS = st.sampled_from(["\u200b", " ", "\u0301", " \u200b"]).flatmap(
    lambda filler: st.sampled_from([GAP - 1, GAP, GAP + 1, 2 * GAP, 5 * GAP]).map(filler.__mul__)
)
TEXTS = st.lists(st.one_of(PARTS, PARTS, PARTS, GAPS), max_size=12).map("".join)
LISTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8, unique=True)


def finder(*words: str, leet: bool = True) -> WordsFinder:
    return WordsFinder(WordsRule(name="x", kind="words", words=list(words), leet=leet), "x")


@settings(deadline=None)
@given(LISTS, TEXTS, st.booleans(), st.data())
@example(["make bomb"], "bombbad" + " " * GAP + "\u0301make bomb", False, None)
@example(["哈哈"], "哈" * 900, False, None)
@example(["pass", "sd"], "p a s sd", True, None)
@example(["abc"], f"x{20 * ZERO}-{10 * ZERO}a-b-c", True, None)
@example(["ab法o"], "ab法0, xx b4", True, None)
@example([HAN], "x " * 100 + "...".join(HAN), True, None)
@example(["abcdefghij"], (GAP * ZERO).join("abcdefghij"), True, None)
def test_pieces_give_what_the_whole_gives(
    words: list[str], text: str, leet: bool, data: st.DataObject | None
) -> None:
    rule = finder(*words, leet=leet)
    whole = rule.find(text)
    assert found_in_pieces(rule, one_by_one(text)) == whole
    if data is None:
        splits = in_two(text) if len(text) < 100 else ()
        assert all(found_in_pieces(rule, pieces) == whole for pieces in splits)
    else:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert found_in_pieces(rule, pieces) == whole


@pytest.mark.parametrize(
    "text",
    [
        "they k i l l him",
        "so p@ssw0rd!",
        "制 造 *炸\u200b彈 和藥",
        "ｂａｄ　ｗｏｒｄ, bad\nword",
        "a$$!x",
    ],
)
def test_every_split_of_a_text_gives_the_same(text: str) -> None:
    rule = finder("kill", "password", "制造炸弹", "药", "bad word", "ass")
    whole = rule.find(text)
    assert whole or text == "a$$!x"
    for pieces in in_two(text):
        assert found_in_pieces(rule, pieces) == whole


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Nothing to see here", ""),
        ("Nothing to see here. ", ""),
        ("a kind of k", "k"),
        ("they ki", "ki"),
        ("they kill", "kill"),  # "killer" is no hit
        ("they kill ", "kill "),  # "kill bill" may follow
        ("they kill b", "kill b"),
        ("they kill c", ""),
        ("skil", ""),
        ("今天天气很好制", "制"),
        ("今天天气很好", ""),
        ("it costs 100", ""),
        ("my k1", "k1"),
    ],
)
def test_only_what_may_become_a_word_is_held(text: str, held: str) -> None:
    rule = finder("kill", "kill bill", "制造炸弹")
    assert text[rule.undecided(text) :] == held


@pytest.mark.parametrize("filler", ["\u200b", " ", "k ", "哈", "a\u200b", "\u0301", "1"])
def test_an_endless_disguise_does_not_hold_a_stream(filler: str) -> None:
    rule = finder("kill", "哈哈", "a a", "kkkkkkkk")
    text = filler * 3000
    assert len(text) - rule.undecided(text) <= rule.longest < 1000

"""The way back from folded text leads to the characters it was made of."""

from hypothesis import example, given
from hypothesis import strategies as st

from serve_app.filters.letters import GAP, Letters, simplified
from serve_app.filters.normalize import plain_letters
from serve_app.filters.readings import Folded, readings

AWKWARD = st.sampled_from(
    [*"abk .*-\n1@!\u200b\u0301\u0323\u0345ｶﾞ炸彈藥éßİﬁ①\u1161ᄀ\u202e\ud800🅰Ⓑ´", "k i l l", "   "]
)
ANY_TEXT = st.lists(st.one_of(AWKWARD, st.characters()), max_size=60).map("".join)
LONG_GAPS = st.sampled_from(["\u200b", " ", "\u0301", " \u200b", "\n"]).flatmap(
    lambda filler: st.integers(GAP - 2, GAP + 3).map(lambda n: filler * n)
)


def test_all_variants_of_a_character_become_the_same_one() -> None:
    table = simplified()
    assert "藥裏裡峯綫爲臺麵".translate(table) == "药里里峰线为台面"
    assert all(table.get(plain, plain) == plain for plain in table.values())


@given(ANY_TEXT)
@example("bad" + " " * GAP + "\u0301word")
@example("´" * GAP + "ﬁ")
def test_every_folded_character_comes_from_one_that_folds_to_it(text: str) -> None:
    folded = Folded(text)
    ranges = [folded.original(i, i + 1) for i in range(len(folded.text))]
    assert ranges == sorted(ranges)
    for char, (start, end) in zip(folded.text, ranges, strict=True):
        assert 0 <= start < end <= len(text)
        assert char in ("\x00", " ") or char in Folded(text[start:end]).text


@given(st.lists(st.one_of(ANY_TEXT, LONG_GAPS), max_size=6).map("".join), st.booleans())
def test_every_reading_leads_back_in_order(text: str, leet: bool) -> None:
    letters = Letters(text)
    for reading in readings(letters, leet):
        places = [reading.place(i) for i in range(len(reading.text))]
        assert places == sorted(places)
        assert all(0 <= place < len(text) for place in places)


@given(st.lists(st.one_of(ANY_TEXT, LONG_GAPS), max_size=6).map("".join), st.data())
def test_the_beginning_of_a_text_folds_as_in_the_whole(text: str, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(text)))
    assert Letters(text).text.startswith(Letters(text[:end]).text)


@given(st.text(st.characters(max_codepoint=127), max_size=GAP))
def test_ascii_takes_the_short_way_to_the_same(text: str) -> None:
    assert Letters(text).text == "".join(map(plain_letters, text)) == Letters(text + "é").text[:-1]


def test_a_range_holds_the_marks_and_invisible_characters_inside_it() -> None:
    folded = Folded("x b\u0301a\u200bd\u0323 y")
    assert folded.text == "x bad y"
    assert folded.original(2, 5) == (2, 8)


def test_characters_that_become_several_are_found_whole() -> None:
    folded = Folded("Straße ﬁn İx")
    assert folded.text == "strasse fin ix"
    assert folded.original(5, 6) == (4, 5)
    assert folded.original(8, 10) == (7, 8)
    assert folded.original(12, 13) == (10, 11)

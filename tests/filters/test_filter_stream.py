"""Any split of an answer gives what the whole gives, and little is held back."""

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from serve_app.core.types import Released, Tail
from serve_app.filters.stream import PIECE, WINDOW, filter_tail

PARTS = st.sampled_from(
    [
        "13800138000", "138 0013 8000", "+86 138-0013-8000", "foo@bar.com", "(415) 555-2671",
        "+44 20 7946 0958", "git@github.com", "x@2x.png", "12345678901234567890", "138 ", "0013 ",
        "8000 ", "+44", "@", "a.b", "-", ".", "/", " ", "  ", "电话", "，", "x", "1", "2", "+", "(",
        ")", "\n", "_", "#", "é", "\u200b", "1\u200b ", "２", "＠", "\u3000", "\ud800",
        "a" * 200, "1" * 200, "-" * 130, "a@" * 70, "13 " * 30, "a" * 250 + "@b.com", "x " * 3000,
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(PARTS, st.text(max_size=3)), max_size=40).map("".join)
MOST_HELD = 49 * WINDOW
"""48 groups of digits of at most a window each; reached only by invisible characters."""


def whole(text: str) -> Released:
    return filter_tail(Tail("", text, True), "redact")


def streamed(pieces: list[str]) -> tuple[list[str], int]:
    """Released texts and the number of findings."""
    held, texts, found = "", [], 0
    for i, piece in enumerate([*pieces, ""]):
        released = filter_tail(Tail(held, piece, i == len(pieces)), "redact")
        held = released.held
        assert len(held) <= MOST_HELD
        assert released.changed == bool(released.findings)
        texts.append(released.text)
        found += sum(finding.count for finding in released.findings)
    assert held == ""
    return texts, found


def cut(text: str, places: list[int]) -> list[str]:
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(bounds)]


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 20_000), max_size=30))
@example("mail foo@bar.com or +44 20 7946 0958", [8, 9, 12, 25, 28, 30])
def test_any_split_gives_the_filtered_whole(text: str, places: list[int]) -> None:
    texts, found = streamed(cut(text, places))
    assert "".join(texts) == whole(text).text
    assert found == sum(finding.count for finding in whole(text).findings)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(1, 9))
def test_small_equal_pieces_give_the_filtered_whole(text: str, size: int) -> None:
    texts, _ = streamed([text[i : i + size] for i in range(0, len(text), size)])
    assert "".join(texts) == whole(text).text


def test_every_character_alone_still_finds_everything() -> None:
    text = "Write to foo@bar.com, 电话138 0013 8000或+44 20 7946 0958. Bye 2024!"
    expected = "Write to [EMAIL], 电话[PHONE]或[PHONE]. Bye 2024!"
    assert "".join(streamed(list(text))[0]) == expected


def test_only_the_last_word_is_held() -> None:
    assert filter_tail(Tail("", "hello wor", False), "redact") == Released("hello ", "wor")
    assert filter_tail(Tail("wor", "ld ", False), "redact") == Released("world ", "")


def test_han_text_goes_out_at_once() -> None:
    assert filter_tail(Tail("", "今天天气很好", False), "redact") == Released("今天天气很好", "")


def test_digits_are_held_only_while_they_may_grow() -> None:
    held = filter_tail(Tail("", "in 138 ", False), "redact")
    assert (held.text, held.held) == ("in ", "138 ")
    assert filter_tail(Tail("138 ", "people ", False), "redact") == Released("138 people ", "")


def test_a_list_of_numbers_flows() -> None:
    numbers = " ".join(str(n) for n in range(1000))
    released = filter_tail(Tail("", numbers, False), "redact")
    assert len(released.held) < 60


def test_a_word_that_never_ends_is_not_held_for_ever() -> None:
    for endless in ("a", "7", "-", "a@", "é@a", "1 ", "\u200b", "13800138000/"):
        held = longest = ""
        for _ in range(3 * PIECE // len(endless)):
            held = filter_tail(Tail(held, endless, False), "redact").held
            longest = max(longest, held, key=len)
        assert len(longest) <= WINDOW


def test_an_address_at_the_end_of_an_endless_word_is_still_found() -> None:
    for length in range(200, 1200, 7):
        text = "a" * length + "@example.com"
        released = whole(text)
        assert released.text.endswith("[EMAIL]")
        assert set(released.text) <= set("a[EMAIL]")


def test_flag_counts_and_changes_nothing() -> None:
    text = "a@b.com 13800138000 13900139000"
    released = filter_tail(Tail("", text, True), "flag")
    assert (released.text, released.changed) == (text, False)
    assert [(f.rule, f.action, f.count) for f in released.findings] == [
        ("pii:email", "flag", 1),
        ("pii:phone", "flag", 2),
    ]


def test_a_long_answer_is_filtered_whole() -> None:
    text = "call 13800138000 now; " * 2000
    assert whole(text).text == "call [PHONE] now; " * 2000
    assert whole(text).findings[0].count == 2000

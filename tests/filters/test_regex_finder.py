"""Patterns find in pieces what they find in the whole; those that cannot work are refused."""

import pytest
from arriving import found_in_pieces, in_two, one_by_one
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.core.errors import PolicyRejected
from serve_app.filters.regex import RegexFinder

PLACE = "filter.rules['x']"


def finder(pattern: str, *, ignore_case: bool = False, on_streams: bool = True) -> RegexFinder:
    return RegexFinder(pattern, ignore_case, PLACE, on_streams=on_streams)


PATTERNS = [
    "abc", "ab|abcdef|b", "a{1,5}?b?", "a{1,5}", r"\bab\b", r"ab$", "^ab", r"(?m)^ab$",
    r"(?i)ab|C(?-i:d)", r"(a|b(c|d){2,3}){1,2}", r"[^\n]{3}b", r"\Ba\B", r"(?:ab?){1,3}c",
    r"\Qa.b\E?", r"[[:alpha:]]\d{0,2}", r"\p{Han}{2,4}a?", r"炸.?弹", r"(?s)a.{0,3}b",
    r"\x61\x{62}",
    r"(?P<n>a)(?<m>b)?", "[]a]b", r"(?U)a{1,3}b{0,2}", r"ab(?:\z|c)", r"a(?:)b|()c",
]  # fmt: skip
TEXTS = st.text(st.sampled_from("aaabbbcdeAC .\n1炸弹]é"), max_size=24)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(PATTERNS), TEXTS, st.booleans())
def test_pieces_give_what_the_whole_gives(pattern: str, text: str, ignore_case: bool) -> None:
    rule = finder(pattern, ignore_case=ignore_case)
    whole = rule.find(text)
    assert all(match.end - match.start < rule.longest for match in whole)
    for pieces in [one_by_one(text), *in_two(text)]:
        assert found_in_pieces(rule, pieces) == whole


@pytest.mark.parametrize("pattern", [r"(?:\pL{1,20}-){1,5}x", r"(?:\pL{1,10}\pN{0,10}-){1,9}x"])
def test_a_pattern_with_too_many_beginnings_holds_its_longest_match(pattern: str) -> None:
    rule = finder(pattern)
    text = "ab-c-x and a-b-xyz"
    assert len(rule.find(text)) == 2
    assert rule.undecided("." * 4000) == 4000 - rule.longest
    for pieces in in_two(text):
        assert found_in_pieces(rule, pieces) == rule.find(text)


@pytest.mark.parametrize(
    ("pattern", "text", "held"),
    [
        ("secret", "no such thing", ""),
        ("secret", "my sec", "sec"),
        ("secret", "my secret", ""),  # nothing behind it matters
        (r"secret\b", "my secret", "secret"),
        (r"ORD-\d{4,8}", "ORD-1234", "ORD-1234"),
        (r"ORD-\d{4,8}", "ORD-1234.", ""),
        (r"\d{1,4}€", "10 or 20", "20"),
    ],
)
def test_only_what_may_become_a_match_is_held(pattern: str, text: str, held: str) -> None:
    assert text[finder(pattern).undecided(text) :] == held


def test_lone_surrogates_are_no_error() -> None:
    assert finder("b").find("a\ud800b") == [("regex", 2, 3)]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", r"\(a'.*missing \)"),
        (r"(?=a)", "invalid perl operator"),
        (r"(a)\1", "invalid escape sequence"),
        ("a*", "matches the empty text"),
        (r"\b|a", "matches the empty text"),
        ("(?:a?){3}", "matches the empty text"),
        ("ab+c", r"'\+' has no upper bound.*\{0,200\} or \{1,200\}"),
        (r"a[*]\*{2,}", r"'\{2,\}' has no upper bound"),
        ("(?:a.*?b)", r"'\*\?' has no upper bound"),
        ("(?:a{500}b{600}){0,1}a{1000}b{1000}c{1000}", "up to 4100 characters, 4096 at most"),
        (r"a\Cb", r"\\C is a byte, not a character"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(PolicyRejected, match=rf"filter.rules\['x'\].pattern: .*{reason}"):
        finder(pattern)


def test_where_no_text_arrives_in_pieces_a_pattern_needs_no_bound() -> None:
    rule = finder("ab+", on_streams=False)
    assert rule.find("x abbbb") == [("regex", 2, 7)]
    assert rule.undecided("x abb") == 0
    assert finder(r"(?:\b)+a").longest == 2

"""One rule along a text, in whole and in pieces; plain text and arguments that are JSON."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from literal_finder import LiteralFinder

from serve_app.filters.stream import Span, Step

FINDER = LiteralFinder({"word": ["bomb", "bombs", "x y"], "number": ["1234", "12"]})
REDACT = Span(FINDER, lambda kind, _: f"[{kind}]")
FLAG = Span(FINDER)
BLOCK = Span(FINDER, blocks=True)


def pieces(text: str, cuts: Iterable[int]) -> list[str]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def read(span: Span, said: list[str], *, is_json: bool = False) -> tuple[str, list[str], bool]:
    """What comes out of a text in pieces, what was found, and whether it was blocked."""
    before = held = out = ""
    kinds: list[str] = []
    step_of = span.step_json if is_json else span.step
    for at, piece in enumerate(said):
        step: Step = step_of(before, held, piece, final=at == len(said) - 1)
        before, held = step.before, step.held
        out += step.out
        kinds += step.kinds
        if step.blocked:
            return out, kinds, True
    assert not held
    return out, kinds, False


def test_what_is_found_is_replaced_and_the_rest_stays() -> None:
    step = REDACT.step("", "", "a bomb, 12 bombs and a bombard", final=True)
    assert step.out == "a [word], [number] [word] and a bombard"
    assert step.kinds == ["word", "number", "word"]
    assert step.changed


def test_a_flag_changes_nothing() -> None:
    assert read(FLAG, ["a bomb"]) == ("a bomb", ["word"], False)
    assert not FLAG.step("", "", "a bomb", final=True).changed


@pytest.mark.parametrize("at", range(1, 12))
def test_a_block_lets_out_what_stands_before_it_and_nothing_of_it(at: int) -> None:
    assert read(BLOCK, pieces("the bombs 12", [at])) == ("the ", ["word"], True)


def test_only_what_is_undecided_is_held() -> None:
    step = REDACT.step("", "", "say bom", final=False)
    assert (step.out, step.held) == ("say ", "bom")
    step = REDACT.step(step.before, step.held, "e ", final=False)
    assert (step.out, step.held) == ("bome ", "")


def test_the_neighbour_of_a_match_may_have_gone_out_before() -> None:
    assert read(REDACT, ["x_a", "bomb"])[0] == "x_abomb"
    assert read(REDACT, ["x_ ", "bomb"])[0] == "x_ [word]"


TEXTS = st.lists(
    st.sampled_from(["bomb", "bombs", "bo", "x", " ", "y", "12", "34", "1", ",", "é", "\n"]),
    max_size=12,
).map("".join)
CUTS = st.lists(st.integers(0, 40), max_size=8)


@settings(deadline=None)
@given(TEXTS, CUTS, st.sampled_from([REDACT, FLAG, BLOCK]))
@example("bombx 1234", [1, 2, 3, 4, 5, 6, 7, 8, 9], REDACT)
def test_however_it_is_cut_the_same_comes_out(text: str, cuts: list[int], span: Span) -> None:
    assert read(span, pieces(text, cuts)) == read(span, [text])


# ------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("raw", "out"),
    [
        ('{"a": "bomb"}', '{"a": "[word]"}'),
        (r'{"a": "one\nbomb\tx"}', r'{"a": "one\n[word]\tx"}'),
        (r'{"a": "\"bomb\" \\bomb"}', r'{"a": "\"[word]\" \\[word]"}'),
        (r'{"a": "\u0062omb"}', '{"a": "[word]"}'),
        (r'{"a": "b\u006fm\u0062"}', '{"a": "[word]"}'),
        (r'{"a": "\u00e9bomb"}', r'{"a": "\u00e9[word]"}'),
        ('{"n": 1234}', '{"n": "[number]"}'),
        ('{"n": 12340}', '{"n": 12340}'),
        ('{"bomb": 12, "a": "12"}', '{"[word]": "[number]", "a": "[number]"}'),
        (r'{"a": "\ud83d\ude00 bomb"}', r'{"a": "\ud83d\ude00 [word]"}'),
    ],
)
def test_arguments_are_read_as_what_they_say_and_stay_json(raw: str, out: str) -> None:
    for cut in range(len(raw)):
        assert read(REDACT, pieces(raw, [cut]), is_json=True)[0] == out
    json.loads(out)


def test_a_match_over_the_end_of_a_string_leaves_its_quotes() -> None:
    finder = LiteralFinder({"pair": ['key": "value']})
    span = Span(finder, lambda kind, _: "***")
    assert span.step_json("", "", '{"key": "value"}', final=True).out == '{"***": "***"}'


def test_what_was_found_is_told_as_it_is_meant() -> None:
    seen: list[str] = []
    span = Span(LiteralFinder({"word": ['a"b']}), lambda _, value: seen.append(value) or "-")
    span.step_json("", "", r'{"k": "a\u0027b"}', final=True)
    assert seen == []
    finder = LiteralFinder({"word": ["a'b"]})  # an escaped quote is shown as another one
    span = Span(finder, lambda _, value: seen.append(value) or "-")
    assert span.step_json("", "", r'{"k": "a\"b"}', final=True).out == '{"k": "-"}'
    assert seen == ['a"b']


VALUES = st.recursive(
    st.one_of(TEXTS, st.text(max_size=6), st.integers(0, 2000), st.booleans(), st.none()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(VALUES, st.booleans(), CUTS, st.sampled_from([REDACT, FLAG, BLOCK]))
def test_any_arguments_cut_anywhere_come_out_the_same_and_as_json(
    value: object, ascii_only: bool, cuts: list[int], span: Span
) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only)
    whole = read(span, [raw], is_json=True)
    assert read(span, pieces(raw, cuts), is_json=True) == whole
    if not whole[2]:
        json.loads(whole[0])
    if span is FLAG:
        assert whole[0] == raw


@settings(deadline=None)
@given(st.text(st.sampled_from('\\"u0041nbom {}:'), max_size=20), CUTS)
def test_broken_json_is_read_without_harm(raw: str, cuts: list[int]) -> None:
    assert read(REDACT, pieces(raw, cuts), is_json=True) == read(REDACT, [raw], is_json=True)

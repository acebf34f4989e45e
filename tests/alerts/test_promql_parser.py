"""What is read of PromQL, and how mistakes are named."""

from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.alerts.promql.nodes import Binary, Number, Selector, longest_s
from serve_app.alerts.promql.parser import parse
from serve_app.alerts.promql.words import BadExpression


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "something is missing at the end (column 1)"),
        ("rate(up)", "rate() takes a range such as metric[5m] here (column 1)"),
        ("up[5m]", "a range such as [5m] needs a function such as rate() (column 1)"),
        ("up >", "something is missing at the end (column 5)"),
        ("up > > 3", "'>' cannot stand here (column 6)"),
        ('up{job="a"', "'}' is missing (column 11)"),
        ('up{job=~"("}', "is no regular expression of RE2 (column 9)"),
        ('up{job=~"(?=a)b"}', "is no regular expression of RE2 (column 9)"),
        ("topk(3, up)", "'topk' is not understood here; see docs/alerts.md (column 1)"),
        ("up[5m:1m]", "':' is not understood here; see docs/alerts.md (column 6)"),
        ("a / on (x) group_left b", "'group_left' is not understood here; see docs/alerts.md"),
        ("1 > 2", "a comparison of two numbers needs `bool` (column 3)"),
        ("up + bool 2", "`bool` belongs to comparisons (column 4)"),
        ("up and 1", "`and` needs a vector on both sides (column 4)"),
        ("sum(up", "')' is missing (column 7)"),
        ("up ; down", "';' is not understood (column 4)"),
        ("up[5x]", "'5' is not understood (column 4)"),
        ("up[5]", "a duration such as 5m belongs here (column 4)"),
        ("a >\n  rate(b)", "rate() takes a range such as metric[5m] here (line 2, column 3)"),
        ("(" * 50 + "up", "is nested too deeply (column 41)"),
        ("up" + " " * 4000, "is longer than 4000 characters"),
        ('"text"', "'\"text\"' cannot stand here (column 1)"),
        ("{job='a'}", "a selector needs the name of its metric before `{` (column 1)"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(text: str, says: str) -> None:
    with pytest.raises(BadExpression) as caught:
        parse(text)
    assert str(caught.value).startswith(says)


def test_operators_bind_as_in_prometheus() -> None:
    assert parse("a + b * c") == parse("a + (b * c)")
    assert parse("a or b unless c and d") == parse("a or ((b unless c) and d)")
    assert parse("a > 1 and b < 2") == parse("(a > 1) and (b < 2)")
    assert parse("2 ^ 3 ^ 2") == parse("2 ^ (3 ^ 2)")
    assert parse("-a ^ 2") == parse("-(a ^ 2)")
    assert parse("-a * 2") == parse("(-a) * 2")
    assert parse("a - b - c") == parse("(a - b) - c")


def test_both_ways_to_group_mean_the_same() -> None:
    assert parse("sum by (a, b) (x)") == parse("sum(x) by (a, b,)")
    assert parse("sum without (a) (x)") == parse("sum(x) without (a)")


def test_words_of_the_language_are_also_names() -> None:
    assert parse("sum") == Selector("sum", (), 0.0, 0.0)
    assert isinstance(parse("rate > 1"), Binary)


def test_numbers_durations_and_comments() -> None:
    assert parse("1.5e3 # a comment") == Number(1500.0)
    assert parse(".5") == Number(0.5)
    node = parse("rate(x[1h30m] offset 90s)")
    assert longest_s(node) == 5400 + 90


VECTORS = st.sampled_from(
    ["a", 'b{x="1"}', 'c{x=~"a.*",y!="2"}', "rate(d[5m])", "increase(e[1h] offset 5m)", "absent(f)",
     "max_over_time(g[30s])", "histogram_quantile(0.9, h)"]
)  # fmt: skip
NUMBERS = st.sampled_from(["1", "0.05", "1e3", "-2"])


def _bigger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("(({}) {} ({}))".format, inner, st.sampled_from(["and", "or", "unless"]), inner),
        st.builds(
            "{} {} {}".format, inner, st.sampled_from([*"+-*/%^<>", "==", "!=", ">=", "<="]), inner
        ),
        st.builds("{} > bool {}".format, inner, NUMBERS),
        st.builds("(({}) / on (x) ({}))".format, inner, inner),
        st.builds("sum by (x) ({})".format, inner),
        st.builds("count({}) without (y)".format, inner),
        st.builds("clamp_min({}, {})".format, inner, NUMBERS),
        st.builds("-({})".format, inner),
    )


@given(st.recursive(VECTORS, _bigger, max_leaves=8))
def test_what_is_read_here_is_promql(text: str) -> None:
    parse(text)
    promql_parser.parse(text)


@given(st.text(alphabet="ab1(){}[]<>=!~\"' ,.+-*/^%:@#\n5msumrate", max_size=40))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        parse(text)
    except BadExpression as error:
        place = error.place
    else:
        promql_parser.parse(text)
        place = 0
    assert 0 <= place <= len(text)

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.cache.semantic.quantities import Quantity, split_quantities
from serve_app.cache.semantic.words import words_of


def quantities(text: str) -> list[Quantity]:
    return split_quantities(words_of(text))[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("after 14 days", "after two weeks"),
        ("fifty pounds", "£50"),
        ("a 2-year fix", "two-year fixes"),
        ("at 7am", "for seven in the morning"),
        ("at 2pm", "at 14:00"),
        ("15%", "15 percent"),
        ("£50,270", "£50270"),
        ("30k users", "30,000 users"),
        ("a hundred and twenty three dollars", "$123"),
        ("10GB", "10 gigabytes"),
        ("a 17-year-old", "17 years old"),
        ("twelve months", "a 1 year term"),
        ("一百二十三元", "123元"),
        ("三天内", "3天内"),
        ("２４小时", "24小时"),
        ("两周", "14天"),
    ],
)
def test_one_number_has_one_form(one: str, other: str) -> None:
    assert quantities(one)
    assert quantities(one) == quantities(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("14 days", "40 days"),
        ("14 days", "14 weeks"),
        ("2pm", "2am"),
        ("9:15", "9:45"),
        ("python 3.1", "python 3.10"),
        ("100 USD", "1000 USD"),
        ("$5", "£5"),
        ("5 kg", "5 g"),
        ("1066", "1666"),
        ("三天", "五天"),
        ("十五号", "五十号"),
    ],
)
def test_different_numbers_stay_different(one: str, other: str) -> None:
    assert quantities(one) != quantities(other)


def test_one_is_no_number_unless_it_is_written_as_one() -> None:
    assert quantities("which is the right one") == []
    assert quantities("one day") == quantities("a day") == []
    assert quantities("1 day") == [Quantity(Fraction(1), "day")]


@given(st.integers(0, 999_999))
def test_a_number_with_separators_is_the_same_number(number: int) -> None:
    assert quantities(f"{number:,} things") == quantities(f"{number} things")


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    quantities(text)

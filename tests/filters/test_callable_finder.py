"""A function of the owner finds what it likes; whatever else it does is an error that names it."""

from collections.abc import Iterator

import owners_rules
import pytest
from arriving import found_in_pieces, in_two, one_by_one

from serve_app.core.errors import PolicyRejected
from serve_app.filters.base import RuleFailed
from serve_app.filters.callable import CallableFinder


def finder(name: str, *, longest: int = 10, timeout_s: float = 5.0) -> CallableFinder:
    return CallableFinder(f"owners_rules:{name}", longest, timeout_s, "filter.rules['x']")


@pytest.fixture
def _released() -> Iterator[None]:
    owners_rules.RELEASE.clear()
    yield
    owners_rules.RELEASE.set()


def test_ranges_are_matches_from_start_on() -> None:
    tickets = finder("tickets")
    assert tickets.find("T-1, T-22") == [("callable", 0, 3), ("callable", 5, 9)]
    assert tickets.find("T-1, T-22", 1) == [("callable", 5, 9)]
    assert finder("Holder.nothing").find("text") == []


def test_of_ranges_that_overlap_the_first_and_longest_counts() -> None:
    assert finder("overlapping").find("abcde") == [("callable", 0, 3), ("callable", 4, 5)]


def test_pieces_give_what_the_whole_gives() -> None:
    tickets, text = finder("tickets"), "see T-123456 and T-1, not AT-7 or T-1234567"
    whole = tickets.find(text)
    assert len(whole) == 2
    for pieces in [one_by_one(text), *in_two(text)]:
        assert found_in_pieces(tickets, pieces) == whole


@pytest.mark.parametrize(
    ("name", "reason"),
    [("raising", "raised ValueError"), ("leaving", "raised SystemExit"), ("endless", None)],
)
def test_a_function_that_fails_is_named_but_not_the_text(name: str, reason: str | None) -> None:
    broken = finder(name)
    if reason is None:
        assert broken.find("my secret") == [("callable", 0, 1)]
        return
    with pytest.raises(RuleFailed) as error:
        broken.find("my secret")
    assert str(error.value) == f"owners_rules:{name}: {reason}"
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    "text", ["texts", "triples", "floats", "backwards", "empty", "negative", "beyond"]
)
def test_what_is_no_range_of_the_text_is_refused(text: str) -> None:
    with pytest.raises(RuleFailed, match=r"no \(start, end\) within the text"):
        finder("as_given").find(text)


def test_other_bad_answers_are_refused() -> None:
    with pytest.raises(RuleFailed, match="raised TypeError"):
        finder("as_given").find("none")
    with pytest.raises(RuleFailed, match="more than 3 characters, its `longest`"):
        finder("as_given", longest=3).find("long")


@pytest.mark.usefixtures("_released")
def test_calls_that_never_end_cost_their_time_limit_and_no_more_than_their_places() -> None:
    waiting = finder("waiting", timeout_s=0.02)
    for _ in range(8):
        with pytest.raises(RuleFailed, match=r"no answer in 0.02 s"):
            waiting.find("text")
    with pytest.raises(RuleFailed, match="8 calls are still running"):
        waiting.find("text")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("no_such_module_here:f", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("owners_rules:absent", "AttributeError: .*'absent'"),
        ("owners_rules:NOT_CALLABLE", "is not callable but a int"),
        ("owners_rules:coroutine", "is async; a plain function is needed"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused(function: str, reason: str) -> None:
    with pytest.raises(PolicyRejected, match=rf"filter.rules\['x'\].function: .*{reason}"):
        CallableFinder(function, 10, 1.0, "filter.rules['x']")

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.clock import FakeClock
from serve_app.vitals.breaker import FAILURES, MAX_REST_S, OPEN_S, SPREAD, Breaker


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def opened(clock: FakeClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed()
    return breaker


def test_a_closed_breaker_allows_every_call(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    assert all(breaker.allows() for _ in range(3))


def test_failures_in_a_row_open_it(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()


def test_a_success_between_failures_starts_the_count_anew(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed()
        breaker.succeeded()
    assert breaker.allows()


def test_an_open_breaker_lets_one_probe_through_after_its_time(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(OPEN_S)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]


def test_a_probe_that_succeeds_closes_it(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(OPEN_S)
    assert breaker.allows()
    breaker.succeeded()
    assert all(breaker.allows() for _ in range(3))


def test_a_probe_that_fails_opens_it_again(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(OPEN_S)
    assert breaker.allows()
    breaker.failed()
    clock.advance(OPEN_S - 0.1)
    assert not breaker.allows()
    clock.advance(0.1)
    assert breaker.allows()


def test_a_probe_that_never_reports_back_is_followed_by_another(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(OPEN_S)
    assert breaker.allows()
    clock.advance(OPEN_S)
    assert breaker.allows()


def test_a_backend_that_asks_for_a_rest_gets_it_at_once(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    breaker.rest(30.0)
    clock.advance(29.9)
    assert not breaker.allows()
    clock.advance(0.1)
    assert breaker.allows()


def test_a_longer_rest_is_not_cut_short_by_a_later_failure(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    breaker.rest(60.0)
    breaker.failed()
    clock.advance(OPEN_S)
    assert not breaker.allows()


def test_nobody_rests_for_ever(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    breaker.rest(86_400.0)
    clock.advance(MAX_REST_S)
    assert breaker.allows()


def test_after_a_close_an_old_rest_is_forgotten(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    breaker.rest(60.0)
    breaker.succeeded()
    for _ in range(FAILURES):
        breaker.failed()
    assert breaker.left_s() == OPEN_S


def test_a_call_sent_before_it_opened_does_not_close_it(clock: FakeClock) -> None:
    breaker, sent_at = Breaker(clock), clock.monotonic()
    clock.advance(1.0)
    breaker.rest(30.0)
    breaker.succeeded(sent_at)
    assert not breaker.allows()
    clock.advance(30.0)
    assert breaker.allows()
    breaker.succeeded(clock.monotonic())
    assert not breaker.is_open


def test_a_probe_that_was_not_made_is_given_back(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(OPEN_S)
    assert breaker.allows()
    breaker.give_back()
    assert breaker.allows()


def test_it_says_how_long_it_stays_open(clock: FakeClock) -> None:
    breaker = opened(clock)
    clock.advance(4.0)
    assert breaker.left_s() == OPEN_S - 4.0
    clock.advance(OPEN_S)
    assert breaker.left_s() == 0.0


def test_who_shares_it_is_told_of_openings_and_closings_only(clock: FakeClock) -> None:
    told: list[bool] = []
    breaker = Breaker(clock, changed=lambda: told.append(breaker.is_open))
    for _ in range(2 * FAILURES):
        breaker.failed()
    breaker.succeeded()
    breaker.succeeded()
    assert told == [True, False]


def test_what_others_tell_is_no_news(clock: FakeClock) -> None:
    breaker = Breaker(clock)
    breaker.told(is_open=True, left_s=3.0)
    assert (breaker.is_open, breaker.left_s(), breaker.is_news) == (True, 3.0, False)
    breaker.told(is_open=True, left_s=1.0)
    assert breaker.left_s() == 3.0
    breaker.told(is_open=False, left_s=0.0)
    assert (breaker.is_open, breaker.is_news) == (False, False)


@given(st.integers(), st.floats(min_value=0, max_value=MAX_REST_S))
def test_a_rest_is_never_shorter_than_asked_for_nor_much_longer(seed: int, rest_s: float) -> None:
    breaker = Breaker(FakeClock(0.0), random.Random(seed))
    breaker.rest(rest_s)
    assert rest_s <= breaker.left_s() <= rest_s * (1 + SPREAD)

from __future__ import annotations

import pytest

from serve_app.core.clock import FakeClock
from serve_app.vitals.breaker import FAILURES, MAX_REST_S, OPEN_S, Breaker


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

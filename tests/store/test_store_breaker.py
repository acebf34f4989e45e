import logging

import pytest

from serve_app.core.clock import FakeClock
from serve_app.store.breaker import Breaker
from serve_app.store.errors import StoreUnavailable


def opened(clock: FakeClock) -> Breaker:
    breaker = Breaker(clock, failures=3, open_s=1.0)
    for _ in range(3):
        breaker.failed(breaker.enter(), "gone")
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = opened(FakeClock())
    assert breaker.is_open
    with pytest.raises(StoreUnavailable, match="gone"):
        breaker.enter()


def test_a_success_between_failures_starts_the_count_anew() -> None:
    breaker = Breaker(FakeClock(), failures=2, open_s=1.0)
    breaker.failed(breaker.enter(), "gone")
    breaker.succeeded()
    breaker.failed(breaker.enter(), "gone")
    assert not breaker.is_open


def test_commands_that_fail_together_count_once() -> None:
    clock = FakeClock()
    breaker = Breaker(clock, failures=3, open_s=1.0)
    entered = [breaker.enter() for _ in range(50)]
    clock.advance(0.05)
    for at in entered:
        breaker.failed(at, "hiccup")
    assert not breaker.is_open


def test_one_probe_goes_through_each_interval() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    for _ in range(3):
        clock.advance(1.0)
        breaker.failed(breaker.enter(), "gone")
        with pytest.raises(StoreUnavailable):
            breaker.enter()


def test_a_probe_that_was_cancelled_does_not_keep_it_open() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(1.0)
    breaker.enter()
    clock.advance(1.0)
    breaker.enter()
    breaker.succeeded()
    assert not breaker.is_open


def test_an_outage_is_two_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    with caplog.at_level(logging.INFO):
        breaker = opened(clock)
        for _ in range(100):
            clock.advance(1.0)
            breaker.failed(breaker.enter(), "gone")
        breaker.succeeded()
    assert [r.levelname for r in caplog.records] == ["ERROR", "WARNING"]

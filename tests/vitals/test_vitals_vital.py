"""What a vital reads after what happened to its calls."""

from __future__ import annotations

import pytest

from serve_app.core.clock import FakeClock
from serve_app.core.vital import Headroom, Reading
from serve_app.vitals.breaker import FAILURES, OPEN_S
from serve_app.vitals.summary import HEADROOM_S
from serve_app.vitals.vital import MIN_STREAM_S, Vital
from serve_app.vitals.window import MAX_AGE_S


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def vital(clock: FakeClock) -> Vital:
    return Vital("b", "m", clock)


def calls(vital: Vital, *outcomes: bool) -> None:
    for ok in outcomes:
        vital.began()
        vital.ended(ok=ok)


def test_of_a_model_that_was_never_asked_nothing_is_known(vital: Vital) -> None:
    assert vital.reading() == Reading()


def test_times_to_first_token(vital: Vital) -> None:
    for tenths in range(1, 101):
        vital.first_token(tenths / 10)
    reading = vital.reading()
    assert (reading.first_token_p50_s, reading.first_token_p95_s) == (5.1, 9.6)
    assert vital.first_token_quantile(0.9, 100) == 9.1
    assert vital.first_token_quantile(0.9, 101) is None


def test_times_of_long_ago_say_nothing(vital: Vital, clock: FakeClock) -> None:
    vital.first_token(9.0)
    clock.advance(MAX_AGE_S + 1)
    assert vital.reading().first_token_p50_s is None
    assert vital.first_token_quantile(0.5, 0) is None
    vital.first_token(1.0)
    assert vital.reading().first_token_p50_s == 1.0


def test_speed_is_that_of_the_streams_together(vital: Vital) -> None:
    for seconds, tokens in ((10.0, 1000), (1.0, 10)):
        vital.began()
        vital.ended(ok=True, seconds=seconds, tokens=tokens)
    assert vital.reading().tokens_per_s == pytest.approx(1010 / 11)


def test_an_answer_in_one_piece_says_nothing_of_the_speed(vital: Vital) -> None:
    for seconds, tokens in ((0.0, 1000), (MIN_STREAM_S / 2, 1000), (5.0, 0)):
        vital.began()
        vital.ended(ok=True, seconds=seconds, tokens=tokens)
    assert vital.reading().tokens_per_s is None


def test_the_error_rate_is_that_of_late(vital: Vital, clock: FakeClock) -> None:
    calls(vital, *[False] * 10)
    assert (vital.reading().error_rate, vital.reading().samples) == (1.0, 10)
    clock.advance(300.0)
    calls(vital, *[True] * 10)
    assert vital.reading().error_rate < 0.05


def test_a_single_failure_fades(vital: Vital, clock: FakeClock) -> None:
    calls(vital, False)
    assert vital.reading().error_rate == 1.0
    clock.advance(300.0)
    assert vital.reading().error_rate < 0.05


def test_running_calls_are_counted(vital: Vital) -> None:
    vital.began()
    vital.began()
    assert vital.reading().running == 2
    vital.ended(ok=True)
    assert vital.reading().running == 1


def test_a_reading_shows_the_breaker_of_the_moment(vital: Vital, clock: FakeClock) -> None:
    assert not vital.reading().is_open
    for _ in range(FAILURES):
        vital.breaker.failed()
    assert vital.reading().open_for_s == OPEN_S
    clock.advance(4.0)
    assert (vital.reading().is_open, vital.reading().open_for_s) == (True, OPEN_S - 4.0)
    clock.advance(OPEN_S)
    assert (vital.reading().is_open, vital.reading().open_for_s) == (True, 0.0)
    vital.breaker.succeeded()
    assert (vital.reading().is_open, vital.reading().open_for_s) == (False, 0.0)


def test_headroom_counts_down_and_is_unknown_once_it_is_whole_again(
    vital: Vital, clock: FakeClock
) -> None:
    vital.headroom = Headroom(3, 1000, resets_in_s=10.0)
    clock.advance(4.0)
    assert vital.headroom == vital.reading().headroom == Headroom(3, 1000, 6.0)
    clock.advance(6.0)
    assert vital.headroom is vital.reading().headroom is None


def test_headroom_without_a_reset_is_believed_for_a_while(vital: Vital, clock: FakeClock) -> None:
    vital.headroom = told = Headroom(requests_left=3)
    clock.advance(HEADROOM_S - 1)
    assert vital.reading().headroom == told
    clock.advance(1.0)
    assert vital.reading().headroom is None


def test_away_is_read_at_once_and_taken_back(vital: Vital) -> None:
    for why in ("the key was refused", ""):
        vital.away = why
        assert vital.reading().away == why
    for why in ("the model is not running", ""):
        vital.down = why
        assert vital.reading().away == why


def test_a_refused_key_is_no_matter_of_the_watch(vital: Vital) -> None:
    vital.away = "the key was refused"
    vital.down = ""
    assert vital.reading().away == "the key was refused"

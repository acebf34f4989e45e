from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serve_app.vitals.fading import FORGOTTEN_S, HALF_LIFE_S, Fading
from serve_app.vitals.window import MAX_AGE_S, SIZE, Window

VALUES = st.lists(st.floats(min_value=0, max_value=1000), min_size=1, max_size=2 * SIZE)


@given(VALUES, st.floats(min_value=0, max_value=1))
def test_a_quantile_is_that_of_the_last_samples_sorted(values: list[float], share: float) -> None:
    window = Window()
    for at, value in enumerate(values):
        window.add(at / 1000, value)
    last = sorted(values[-SIZE:])
    assert window.count(len(values) / 1000) == len(last)
    assert window.quantile(share) == last[min(int(share * len(last)), len(last) - 1)]


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from([1.0, 2.0, 2.0, 3.0])), min_size=1))
def test_samples_leave_when_they_are_too_old(steps: list[tuple[float, float]]) -> None:
    window, now = Window(), 0.0
    samples: list[tuple[float, float]] = []
    for pause_s, value in steps:
        now += pause_s
        window.add(now, value)
        samples.append((now, value))
        young = [value for at, value in samples if at >= now - MAX_AGE_S]
        assert window.count(now) == len(young)
        assert (window.quantile(0.0), window.quantile(1.0)) == (min(young), max(young))
    assert window.count(now + MAX_AGE_S + 1) == 0


def test_what_was_counted_a_half_life_ago_counts_half() -> None:
    share = Fading()
    share.add(0.0, 1.0, 1.0)
    share.add(HALF_LIFE_S, 0.0, 1.0)
    part, whole = share.at(HALF_LIFE_S)
    assert (part, whole) == (0.5, 1.5)
    assert share.at(2 * HALF_LIFE_S) == (0.25, 0.75)


def test_in_the_end_everything_is_forgotten() -> None:
    share = Fading()
    share.add(0.0, 1e9, 1e9)
    assert share.at(FORGOTTEN_S + 1) == (0.0, 0.0)


def test_a_first_count_at_any_time_counts_whole() -> None:
    share = Fading()
    share.add(1e9, 1.0, 2.0)
    assert share.at(1e9) == (1.0, 2.0)

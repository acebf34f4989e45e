"""How the summaries of several replicas add up, and what a reading makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.clock import FakeClock
from serve_app.core.vital import Headroom
from serve_app.vitals.summary import GRID, Summary, merged
from serve_app.vitals.vital import Vital

SECONDS = st.floats(min_value=0.001, max_value=100)


def told(*seconds: float, clock: FakeClock | None = None) -> Summary:
    """The summary of a replica that had these times to first token."""
    vital = Vital("b", "m", clock or FakeClock())
    for value in seconds:
        vital.first_token(value)
    return vital.summary()


def test_quantiles_are_weighed_by_samples() -> None:
    both = merged([told(1.0), told(4.0, 4.0)])
    assert both.firsts == 3
    assert both.quantiles == pytest.approx([3.0] * len(GRID))


@given(st.lists(st.lists(SECONDS, max_size=20), min_size=1, max_size=5))
def test_a_merged_quantile_lies_between_those_it_is_made_from(replicas: list[list[float]]) -> None:
    summaries = [told(*seconds) for seconds in replicas]
    all_ = merged(summaries)
    assert all_.firsts == sum(map(len, replicas))
    for at in range(len(all_.quantiles)):
        single = [s.quantiles[at] for s in summaries if s.firsts]
        assert min(single) * 0.999 <= all_.quantiles[at] <= max(single) * 1.001
    assert bool(all_.quantiles) == any(replicas)


@given(st.lists(SECONDS, min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_between_those_told_grow(seconds: list[float], one: float, other: float) -> None:
    summary = told(*seconds)
    low, high = sorted((one, other))
    assert summary.first_token_s(low) <= summary.first_token_s(high) + 1e-9
    assert [summary.first_token_s(share) for share in GRID] == list(summary.quantiles)


def test_own_times_and_those_of_others_are_one_reading() -> None:
    vital = Vital("b", "m", FakeClock())
    vital.heard(told(4.0, 4.0))
    assert vital.reading().first_token_p50_s == 4.0
    assert vital.first_token_quantile(0.97, 2) == 4.0
    vital.first_token(1.0)
    assert vital.reading().first_token_p50_s == pytest.approx(3.0)
    assert vital.first_token_quantile(0.97, 3) == pytest.approx(3.0)
    assert vital.first_token_quantile(0.97, 4) is None


def test_counts_add_up_and_rates_are_those_of_all() -> None:
    vital = Vital("b", "m", FakeClock())
    vital.heard(
        merged(
            [
                Summary("b", "m", running=2, failed=1, attempts=4, tokens=100, seconds=1),
                Summary("b", "m", running=3, attempts=5, tokens=100, seconds=3),
            ]
        )
    )
    vital.began()
    vital.began()
    vital.ended(ok=True)
    reading = vital.reading()
    assert (reading.running, reading.samples, reading.error_rate) == (6, 10, 0.1)
    assert reading.tokens_per_s == 50.0


def test_the_freshest_word_on_limits_counts() -> None:
    old, new = Headroom(9, resets_in_s=5.0), Headroom(1, resets_in_s=5.0)
    both = merged(
        [
            Summary("b", "m", headroom=old, headroom_age_s=3.0),
            Summary("b", "m"),
            Summary("b", "m", headroom=new, headroom_age_s=1.0),
        ]
    )
    assert both.headroom == new
    clock = FakeClock()
    vital = Vital("b", "m", clock)
    vital.headroom = old
    clock.advance(0.5)
    vital.heard(both)
    assert vital.reading().headroom == Headroom(9, resets_in_s=4.5)
    clock.advance(1.0)
    assert vital.reading().headroom == new


@pytest.mark.parametrize(
    ("own", "others", "away"),
    [
        (None, [None], ""),
        (None, ["down"], "down"),
        (None, ["down", ""], ""),
        (None, ["down", None, "down"], "down"),
        ("", ["down"], ""),
        ("down", [""], "down"),
    ],
)
def test_a_watched_model_is_down_if_nobody_sees_it_up(
    own: str | None, others: list[str | None], away: str
) -> None:
    vital = Vital("b", "m", FakeClock())
    vital.down = own
    vital.heard(merged([Summary("b", "m", down=down) for down in others]))
    assert vital.reading().away == away


def test_a_key_that_one_replica_saw_refused_is_refused_for_all() -> None:
    vital = Vital("b", "m", FakeClock())
    vital.heard(merged([Summary("b", "m"), Summary("b", "m", away="refused")]))
    assert vital.reading().away == "refused"
    vital.heard(None)
    assert vital.reading().away == ""

"""The forecast from one recorded hour, against the hour that followed."""

from __future__ import annotations

import random
import time
from pathlib import Path

from records.records_world import Look, close, opened

from serve_app.accounting.forecast import forecast
from serve_app.core.clock import FakeClock
from serve_app.core.costs import Spent
from serve_app.core.settlement import Settlement
from serve_app.records.reports import Wanted

HOUR = 3600
LIMIT_S = 90.0
NOON = 1_769_860_800
MODELS = [("small", 1200, 4800), ("large", 2500, 10_000)]
"""Name, and micro-USD for a thousand tokens of prompt and answer."""
A_SECOND = 40.0
"""Two such hours differ by about 0.5%, by chance alone."""


def request(rng: random.Random) -> Settlement:
    name, given, answered = MODELS[rng.random() < 0.3]
    prompt, answer = 1 + int(rng.gammavariate(3, 130)), 1 + int(rng.gammavariate(3, 50))
    cost = (prompt * given + answer * answered + 500) // 1000
    if rng.random() < 0.1:
        return Settlement("t", "u", name, "p", prompt, answer, 0, "l1", cost)
    return Settlement("t", "u", name, "p", prompt, answer, cost)


def record(folder: Path, rng: random.Random, hours: int) -> None:
    """Hours of traffic: requests come by chance (Poisson), so many a second."""
    clock = FakeClock(float(NOON))
    records = opened(folder, clock=clock, max_waiting=10**6)
    records.start()
    at = rng.expovariate(A_SECOND)
    for minute in range(hours * 60):
        settled = []
        while at < (minute + 1) * 60:
            settled.append(request(rng))
            at += rng.expovariate(A_SECOND)
        records.take([], settled)
        clock.advance(60)
    end = time.monotonic() + LIMIT_S
    while records.waiting:  # closing is bounded, and this is much
        assert time.monotonic() < end
        time.sleep(0.05)
    close(records)


def test_the_next_hour_is_within_one_percent_of_the_forecast(tmp_path: Path) -> None:
    record(tmp_path, random.Random(20), 2)
    there = Look(f"sqlite:///{tmp_path}/records.db")
    first, second = (
        there.reports.costs(Wanted(NOON + at * HOUR, NOON + (at + 1) * HOUR)).total
        for at in range(2)
    )
    there.database.close()
    made = forecast(first, 1, 1)
    assert second.requests > 100_000
    assert abs(made.cost_micro_usd - second.cost_micro_usd) < second.cost_micro_usd / 100
    assert abs(made.requests - second.requests) < second.requests / 100
    assert made.low_micro_usd < second.cost_micro_usd < made.high_micro_usd


def test_a_forecast_is_as_long_as_it_is_asked_for() -> None:
    made = forecast(Spent(requests=1000, cost_micro_usd=7_000_000), 24, 240)
    assert (made.cost_micro_usd, made.requests) == (70_000_000, 10_000)
    assert made.low_micro_usd < 70_000_000 < made.high_micro_usd

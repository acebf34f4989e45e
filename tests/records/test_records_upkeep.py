"""Sums by hour and what is deleted: a report says the same before, between and after."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from records.records_world import AGES, Look, Looks, charge, close, end, opened
from sqlalchemy import event

from serve_app.config.records_policy import RecordsPolicy
from serve_app.core.clock import FakeClock
from serve_app.core.costs import CostReport
from serve_app.records import upkeep
from serve_app.records.database import SQLAlchemyError
from serve_app.records.reports import Wanted
from serve_app.records.tables import charges

NOON = 1_769_860_800.0
HOUR, DAY = 3600, 86_400
KEEP = RecordsPolicy(keep_days=8, keep_hours_days=30)


def write(folder: Path, url: str, clock: FakeClock, hours: int = 3, each: int = 40) -> None:
    """Some hours of traffic up to now."""
    rng = random.Random(each)
    for _ in range(hours):
        records = opened(folder, url, clock=clock)
        records.start()
        settled = [
            charge(
                model=rng.choice("ab"),
                user=rng.choice(["ann", "bob"]),
                cost_micro_usd=rng.randrange(90),
                cache_level=rng.choice(["none", "l1"]),
                once=rng.choice(["", "", f"n{rng.random()}"]),
            )
            for _ in range(each)
        ]
        records.take([end()], settled)
        close(records)
        clock.advance(HOUR)


def tidy(there: Look, clock: FakeClock, keep: RecordsPolicy = KEEP) -> None:
    while upkeep.step(there.database, keep, int(clock.wall() * 1e6)):
        pass


def report(there: Look) -> CostReport:
    return there.reports.costs(Wanted(0, AGES, ("hour", "model", "user", "cache")))


def test_a_report_is_the_same_before_and_after_the_sums_are_made(
    url: str, tmp_path: Path, look: Looks
) -> None:
    clock = FakeClock(NOON)
    write(tmp_path, url, clock)
    there = look(url)
    before = report(there)
    assert before.total.requests == 120
    assert not there.rows_of_hours()
    tidy(there, clock)
    assert report(there) == before
    open_ones = [row for row in there.rows(charges) if not row.rolled]
    assert open_ones
    assert all(row.is_named for row in open_ones), "a name may become dearer for a week"
    clock.advance(7 * DAY)
    tidy(there, clock)
    assert report(there) == before
    assert all(row.rolled for row in there.rows(charges))


def test_who_makes_the_sums_again_adds_nothing(url: str, tmp_path: Path, look: Looks) -> None:
    clock = FakeClock(NOON)
    write(tmp_path, url, clock)
    there = look(url)
    before = report(there)
    for _ in range(3):
        tidy(there, clock)
    assert report(there) == before


def test_a_late_charge_is_added_to_the_sums_of_its_hour(
    url: str, tmp_path: Path, look: Looks
) -> None:
    clock = FakeClock(NOON)
    write(tmp_path, url, clock, hours=1)
    there = look(url)
    tidy(there, clock)
    before = report(there).total
    write(tmp_path, url, FakeClock(NOON + 1), hours=1, each=10)
    assert report(there).total.requests == before.requests + 10
    late = report(there)
    tidy(there, clock)
    assert report(there) == late


def test_what_is_old_goes_and_its_sums_stay(url: str, tmp_path: Path, look: Looks) -> None:
    clock = FakeClock(NOON)
    write(tmp_path, url, clock)
    there = look(url)
    before = report(there)
    clock.advance(8 * DAY)
    tidy(there, clock)
    assert there.numbers()[1] == 120, "charges stay a day longer than they are accepted"
    clock.advance(2 * DAY)
    tidy(there, clock)
    assert there.numbers()[1] == 0
    assert report(there) == before
    clock.advance(30 * DAY)
    tidy(there, clock)
    assert report(there).total.requests == 0


def test_rows_of_requests_are_deleted_by_the_day(url: str, tmp_path: Path, look: Looks) -> None:
    clock = FakeClock(NOON)
    records = opened(tmp_path, url, clock=clock)
    records.start()
    old, new = end("old"), end("new")
    old.trail.began_at, new.trail.began_at = NOON - 2 * DAY, NOON
    records.take([old, new], [])
    close(records)
    there = look(url)
    tidy(there, clock, RecordsPolicy(keep_days=1))
    assert there.numbers() == (1, 0)


def test_several_that_make_sums_at_once_count_once(
    url: str, tmp_path: Path, look: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_STEP_ROWS", 7)  # many steps, so that they meet
    clock = FakeClock(NOON)
    write(tmp_path, url, clock)
    stores = [look(url) for _ in range(3)]
    before = report(stores[0])
    together = threading.Barrier(len(stores))

    def make_sums(there: Look) -> None:
        together.wait()
        for _ in range(200):
            with suppress(SQLAlchemyError):  # another one was faster
                if not upkeep.step(there.database, KEEP, int(clock.wall() * 1e6)):
                    return

    threads = [threading.Thread(target=make_sums, args=(there,)) for there in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(row.rolled or row.is_named for row in stores[0].rows(charges))
    assert report(stores[0]) == before


def test_a_charge_that_comes_while_sums_are_made_is_in_the_next_ones(
    postgres_url: str, tmp_path: Path, look: Looks
) -> None:
    """With SQLite it would have to wait."""
    clock = FakeClock(NOON)
    write(tmp_path, postgres_url, clock, hours=1)
    there = look(postgres_url)
    before = report(there).total.requests
    late = iter([1])

    def in_between(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        if sql.startswith("UPDATE charges") and next(late, None):
            write(tmp_path, postgres_url, FakeClock(NOON), hours=1, each=10)

    event.listen(there.database.engine, "before_cursor_execute", in_between)
    tidy(there, clock)
    assert next(late, None) is None
    assert report(there).total.requests == before + 10


def test_only_the_one_whose_duty_it_is_makes_sums(url: str, tmp_path: Path, look: Looks) -> None:
    clock = FakeClock(NOON)
    write(tmp_path, url, clock)
    there = look(url)
    other = opened(tmp_path, url, clock=clock)
    other.start()
    close(other)
    assert not there.rows_of_hours()
    records = opened(tmp_path, url, clock=clock, is_mine=lambda: True, keep=KEEP)
    records.start()
    there.until_hours()
    close(records)

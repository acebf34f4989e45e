"""While the database is away rows wait on the disk: nothing is lost, nothing comes twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from postgres.server import Postgres
from records.records_world import Look, Looks, charge, close, end, opened, until
from sqlalchemy import text

from serve_app.core.clock import FakeClock
from serve_app.records.rows import Batch
from serve_app.records.spool import Spool, SpoolFull, batches
from serve_app.records.tables import charges

TESTS = Path(__file__).parents[1]


def block(there: Look) -> None:
    """Make the tables such that no row can be written for now."""
    with there.database.writing() as connection:
        connection.execute(text("ALTER TABLE charges RENAME TO charges_gone"))


def test_the_database_is_killed_midway(
    postgres_server: Postgres, postgres_url: str, tmp_path: Path, look: Looks
) -> None:
    records = opened(tmp_path, postgres_url)
    records.start()
    names = iter(range(10**9))

    def happen(count: int) -> None:
        some = [f"req_{next(names)}" for _ in range(count)]
        records.take([end(name) for name in some], [charge(request_id=name) for name in some])

    happen(300)
    until(lambda: records.counts()["written"] == 600)
    for _ in range(20):
        happen(10)
    postgres_server.kill()
    try:
        for _ in range(30):
            happen(10)
        until(lambda: records.counts()["spooled"] > 0)
        happen(100)
    finally:
        postgres_server.start()
    happen(100)
    until(lambda: records.waiting == 0)
    total = next(names)
    close(records)
    assert total == 1000
    assert records.counts()["lost"] == 0
    there = look(postgres_url)
    assert there.numbers() == (total, total)
    assert len({row.request_id for row in there.rows(charges)}) == total
    assert not list((tmp_path / "spool").glob("*/*.spool"))


def test_a_process_is_killed_and_another_one_writes_what_it_left(
    postgres_server: Postgres, postgres_url: str, tmp_path: Path, look: Looks
) -> None:
    there = look(postgres_url)
    postgres_server.kill()
    try:
        child = subprocess.Popen(
            [sys.executable, str(TESTS / "records" / "spooling.py"), str(tmp_path), postgres_url,
             "200"],
            env={**os.environ, "PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        with child.stdout:
            assert child.stdout.readline() == "400\n"
            alive = opened(tmp_path, postgres_url)
            alive.start()
            alive.take([], [charge()])
            until(lambda: alive.counts()["spooled"] == 1)
            child.send_signal(signal.SIGKILL)
            child.wait(30)
    finally:
        postgres_server.start()
    until(lambda: there.numbers() == (200, 201))
    until(lambda: not list((tmp_path / "spool").glob("*/*.spool")))
    close(alive)
    assert len({row.request_id for row in there.rows(charges)}) == 201
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_a_living_process_has_on_its_disk_is_its_own(tmp_path: Path) -> None:
    one, other = Spool(tmp_path, 10_000), Spool(tmp_path, 10_000)
    one.put(Batch([("a",)], []))
    assert list(other.orphans()) == []
    one.close()
    [file] = other.orphans()
    assert list(batches(file)) == [Batch([("a",)], [])]


def test_a_batch_that_was_cut_off_is_left_out_and_those_before_it_are_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, 10_000)
    for name in ("a", "b"):
        spool.put(Batch([(name,)], []))
    [file] = spool.files()
    whole = file.read_bytes()
    for cut in range(1, len(whole) // 2):
        file.write_bytes(whole[:-cut])
        assert [batch.requests[0][0] for batch in batches(file)] == ["a"]
    file.write_bytes(whole[:-1] + b"\xff")
    assert [batch.requests[0][0] for batch in batches(file)] == ["a"]
    assert "no batch" in caplog.text
    spool.close()


def test_a_full_disk_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100)
    spool.put(Batch([("a" * 50,)], []))
    with pytest.raises(SpoolFull):
        spool.put(Batch([("b" * 50,)], []))
    [file] = spool.files()
    assert len(list(batches(file))) == 1
    spool.done(file)
    spool.put(Batch([("b" * 50,)], []))
    assert spool.rows == 1
    spool.close()


def test_rows_for_which_the_disk_has_no_room_are_counted(
    url: str, tmp_path: Path, look: Looks
) -> None:
    first = opened(tmp_path, url)
    first.start()
    close(first)
    block(look(url))
    records = opened(tmp_path, url, spool_bytes=1000)
    records.start()
    records.take([], [charge()])
    until(lambda: records.counts()["spooled"] == 1)
    records.take([], [charge()] * 50)
    until(lambda: records.counts()["lost"] == 50)
    close(records)


def test_charges_that_waited_longer_than_they_are_kept_are_not_written(
    postgres_server: Postgres, postgres_url: str, tmp_path: Path, look: Looks
) -> None:
    clock = FakeClock(1_769_860_800.0)
    postgres_server.kill()
    try:
        records = opened(tmp_path, postgres_url, clock=clock)
        records.start()
        records.take([], [charge()])
        close(records)
        assert records.counts()["spooled"] == 1
    finally:
        postgres_server.start()
    clock.advance(31 * 86_400)
    late = opened(tmp_path, postgres_url, clock=clock)
    late.start()
    until(lambda: late.counts()["lost"] == 1)
    close(late)
    assert look(postgres_url).numbers() == (0, 0)

"""What happened is in the tables, once, in either database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw
from records.records_world import Looks, charge, close, end, opened, until
from sqlalchemy import make_url

from serve_app.config.records_policy import RecordsPolicy
from serve_app.config.watch_settings import RecordsSettings
from serve_app.core.clock import FakeClock
from serve_app.core.errors import PolicyRejected
from serve_app.core.types import ChatParams, ChatRequest, Message
from serve_app.records.address import address
from serve_app.records.database import Database, SQLAlchemyError
from serve_app.records.records import Records
from serve_app.records.rows import Batch
from serve_app.records.tables import charges, requests
from serve_app.records.writing import write

NOW = 1_769_860_800.0


def test_requests_and_charges_are_rows(look: Looks, url: str, tmp_path: Path) -> None:
    records = opened(tmp_path, url, clock=FakeClock(NOW))
    one = end("req_7", streamed=True, first_content_s=0.1, session="s", team="core", key_id="k1")
    one.trail.note("router", "cheap")
    one.trail.note("attempt", "failed")
    one.trail.note("attempt", "answered")
    records.take([one], [charge(route="/v1/chat/completions", tier="cheap", cached_tokens=4)])
    records.start()
    until(lambda: records.waiting == 0 and records.counts()["written"] == 2)
    close(records)
    there = look(url)
    [row] = there.rows(requests)
    assert (row.request_id, row.tier, row.attempts, row.is_stream) == ("req_7", "cheap", 2, 1)
    assert (row.duration_us, row.first_content_us, row.content) == (250_000, 100_000, None)
    assert row.at == int(one.trail.began_at * 1_000_000)
    [row] = there.rows(charges)
    assert (row.cost_micro_usd, row.provider_cached_tokens, row.rolled) == (7, 4, 0)
    assert row.at == int(NOW) * 1_000_000


def test_what_was_told_before_the_end_is_written_at_the_end(
    look: Looks, url: str, tmp_path: Path
) -> None:
    records = opened(tmp_path, url, interval_s=60)
    records.start()
    records.take([end()], [charge()])
    close(records)
    assert look(url).numbers() == (1, 1)


def test_a_batch_that_may_have_arrived_is_written_again_harmlessly(
    look: Looks, url: str, tmp_path: Path
) -> None:
    records = opened(tmp_path, url)
    records.start()
    records.take([end()], [charge(), charge(once="task-1")])
    close(records)
    there = look(url)
    written = [tuple(row)[:-1] for row in there.rows(charges)]
    for _ in range(2):
        with there.database.writing() as connection:
            write(connection, Batch([tuple(r) for r in there.rows(requests)], written))
    assert there.numbers() == (1, 2)
    assert there.cost() == 14


def test_of_all_with_one_name_the_dearest_counts_and_that_once(
    look: Looks, url: str, tmp_path: Path
) -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "cost_micro_usd": 0}
    for settled in (
        [charge(once="t", status="failed", backend="first", **nothing)],
        [charge(once="t", backend="second", cost_micro_usd=9)],
        [charge(once="t", backend="third", cost_micro_usd=8)],
        [charge(once="t", tenant="other")],
    ):
        records = opened(tmp_path, url)
        records.start()
        records.take([], settled)
        close(records)
    there = look(url)
    acme, other = sorted(there.rows(charges), key=lambda row: str(row.tenant))
    assert (acme.backend, acme.cost_micro_usd, acme.requests, acme.failed) == ("second", 9, 1, 0)
    assert (other.tenant, other.cost_micro_usd) == ("other", 7)


def test_an_attempt_and_what_broke_off_in_it_are_one_charge(
    look: Looks, url: str, tmp_path: Path
) -> None:
    records = opened(tmp_path, url)
    records.start()
    broken = charge(once="t", model="old", requests=0, cost_micro_usd=5)
    records.take([], [charge(once="t"), broken, charge(), charge(requests=0)])
    close(records)
    there = look(url)
    assert there.numbers() == (0, 3)
    [named] = [row for row in there.rows(charges) if row.is_named]
    assert (named.model, named.cost_micro_usd, named.requests) == ("m", 12, 1)


@pytest.mark.parametrize("name", ["nul\0byte", "half \ud800 of a pair", "x" * 5000, "名字"])
def test_names_that_a_database_cannot_hold_are_changed(
    look: Looks, url: str, tmp_path: Path, name: str
) -> None:
    records = opened(tmp_path, url)
    records.start()
    records.take([end(user=name, session=name)], [charge(user=name, prompt_tokens=10**30)])
    close(records)
    assert look(url).numbers() == (1, 1)
    assert records.counts() == {"written": 2, "spooled": 0, "lost": 0}


def test_a_row_that_is_refused_takes_no_other_with_it(
    look: Looks, url: str, tmp_path: Path
) -> None:
    records = opened(tmp_path, url)
    records.start()
    bad = charge(cost_micro_usd=2**70)
    records.take([end(), end()], [charge(), charge(), bad, charge()])
    close(records)
    assert look(url).numbers() == (2, 3)
    assert records.counts() == {"written": 5, "spooled": 0, "lost": 1}


def test_more_than_there_is_room_for_is_lost_and_counted(tmp_path: Path) -> None:
    records = opened(tmp_path, max_waiting=1000)
    records.take([], [charge()] * 999)
    records.take([], [charge()] * 2)
    assert (records.waiting, records.counts()["lost"]) == (999, 2)
    close(records)


def test_what_was_asked_is_kept_as_the_filter_left_it(look: Looks, tmp_path: Path) -> None:
    said = [{"role": "user", "content": "mail <EMAIL_1> \0"}]
    asked = ChatRequest(
        {"messages": Raw(msgspec.json.encode(said))}, ChatParams("m", [Message("user", "x")])
    )
    records = opened(tmp_path)
    records.start()
    records.take([end(asked=asked)], [])
    close(records)
    [row] = look(f"sqlite:///{tmp_path}/records.db").rows(requests)
    assert msgspec.json.decode(row.content) == said


def test_without_a_database_nothing_is_kept(tmp_path: Path) -> None:
    records = opened(tmp_path, "none")
    records.start()
    records.take([end()], [charge()])
    assert (records.waiting, records.counts()["lost"]) == (0, 0)
    asyncio.run(records.close())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["mysql://h/d", "postgresql://u@h/d", "sqlite://", "nonsense"])
def test_other_databases_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(PolicyRejected, match=r"records\.url"):
        Records(RecordsSettings(url=url), RecordsPolicy(), tmp_path, {}, FakeClock(), bool)


def test_the_environment_says_where_and_with_which_password(tmp_path: Path) -> None:
    environ = {
        "SERVE_APP_RECORDS_URL": "postgresql+psycopg://u@h/d",
        "SERVE_APP_RECORDS_PASSWORD": "p@ss/word",
    }
    found = address("sqlite", environ, tmp_path)
    assert found is not None
    assert (found.host, found.password) == ("h", "p@ss/word")
    assert "p@ss" not in str(found)


def test_a_password_has_no_place_in_a_file() -> None:
    with pytest.raises(ValueError, match="SERVE_APP_RECORDS_PASSWORD"):
        RecordsSettings(url="postgresql+psycopg://user:secret@host/db")


def test_a_statement_that_takes_too_long_is_ended(url: str) -> None:
    slow = Database(make_url(url), limit_s=0.1)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    if slow.file is not None:
        slow.file.parent.mkdir(parents=True)
    try:
        with pytest.raises(SQLAlchemyError), slow.reading() as connection:
            connection.exec_driver_sql(endless)
    finally:
        slow.close()

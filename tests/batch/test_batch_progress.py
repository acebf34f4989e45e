"""How it goes, told: rate, time left, cost; and the summary of the whole."""

from __future__ import annotations

import io
import json

import pytest

from serve_app.batch.progress import Bar, JsonLines, Lines, State, watcher
from serve_app.batch.results import Result, Tally
from serve_app.batch.summary import summarise
from serve_app.core.clock import FakeClock, SystemClock

HALF = State(rows=100, done=50, failed=2, restored=30, cost_micro_usd=1_500_000, elapsed_s=10.0)


def test_rate_and_time_left_count_only_what_this_run_did() -> None:
    assert (HALF.rate, HALF.eta_s) == (2.0, 25.0)
    assert HALF.words() == "2.0 rows/s, 0:00:25 left, $1.500000, 2 failed"
    assert State(rows=10, done=0).eta_s is None


def test_lines_come_now_and_then_and_at_the_end() -> None:
    stream, clock = io.StringIO(), FakeClock()
    lines = Lines(stream, clock)
    for done in range(101):
        lines.at(State(rows=100, done=done, elapsed_s=done / 8))
        clock.advance(0.125)
    told = stream.getvalue().splitlines()
    assert told[0].startswith("0/100 rows (0%)")
    assert told[1].startswith("40/100 rows")
    assert told[-1].startswith("100/100 rows (100%)")
    assert len(told) == 4


def test_json_lines_can_be_read_back() -> None:
    stream = io.StringIO()
    lines = JsonLines(stream, FakeClock())
    lines.says("Starting")
    lines.at(HALF)
    said, state = (json.loads(line) for line in stream.getvalue().splitlines())
    assert said == {"says": "Starting"}
    assert state["state"]["cost_micro_usd"] == 1_500_000


@pytest.mark.parametrize("show", ["lines", "quiet", "json"])
def test_every_way_of_telling_takes_everything(
    show: str, capsys: pytest.CaptureFixture[str]
) -> None:
    telling = watcher(show, SystemClock())  # type: ignore[arg-type]  # a parameter is a str
    telling.says("Starting")
    telling.at(HALF)
    telling.close()
    out, err = capsys.readouterr()
    assert bool(out + err) == (show != "quiet")


def test_a_bar_ends_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar(SystemClock())
    bar.at(HALF)
    bar.at(State(rows=100, done=100, elapsed_s=1.0))
    bar.close()
    assert "100/100" in capsys.readouterr().err


def test_a_summary_has_cost_per_row_and_errors_by_kind() -> None:
    total = Tally()
    total.add([
        Result(0, cost_micro_usd=30, prompt_tokens=4, completion_tokens=6, began=10.0, ended=12.0),
        Result(1, cost_micro_usd=10, completion_tokens=4, cached=True, began=11.0, ended=14.0),
        Result(2, kind="timeout", message="first"),
        Result(3, kind="timeout", message="second"),
    ])  # fmt: skip
    made = summarise(
        status="done", why="", output="o", fingerprint="f", rows=4, total=total, run=total,
        seconds=8.0,
    )  # fmt: skip
    assert (made.cost_usd, made.cost_per_row_usd) == ("0.000040", "0.00001000")
    assert (made.tokens_per_s, made.rows_per_s, made.cached) == (2.5, 0.5, 1)
    assert made.lines()[0] == "o: 4 rows, 2 failed"
    assert made.lines()[-1] == "  2 x timeout: first"

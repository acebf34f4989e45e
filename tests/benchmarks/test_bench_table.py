"""Figures, bars and tables: from samples to what a reader sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bars import BARS, judge
from benchmarks.bench import QUICK
from benchmarks.outcome import Cut, Latency, Leave, Load, Outcome, Streams, figures
from benchmarks.report import Run, markdown
from benchmarks.stretches import describe
from benchmarks.table import number, ratios, tables


def load(rps: float, connections: int = 64, *, noisy: bool = False, share: float = 1.0) -> Load:
    return Load(connections, 1000, rps, 1.0, 2.0, 0, share, 10.0 / rps, 0.0, noisy)


def outcome(name: str, *rps: float, cached: bool = False, share: float = 1.0) -> Outcome:
    made = Outcome(name, name.title(), cached, ready_s=[1.0])
    made.loads = [load(r, share=share) for r in rps]
    made.latencies = [Latency(3.0, 5.0, 1.0, 2.0, 0, 0.0, False)]
    made.streams = [Streams(rps[0] * 50, 9, 0, 1.0, 0.1, 0.0, False)]
    return made


def test_figures_are_medians() -> None:
    made = figures(outcome("bare", 100, 300, 200))
    assert made.rps == {64: 200}
    assert made.added_p50_ms == 2.0
    assert made.added_p99_ms == 3.0


def test_cpu_is_that_at_the_highest_number_of_connections() -> None:
    mixed = outcome("bare", 100)
    mixed.loads.append(load(1000, connections=16))
    assert figures(mixed).cpu_s_per_1k == pytest.approx(0.1)


def test_noisy_samples_count_only_where_none_is_clean() -> None:
    mixed = outcome("bare", 100)
    mixed.loads.append(load(900, noisy=True))
    assert figures(mixed).rps == {64: 100}
    mixed.loads = [load(900, noisy=True)]
    assert figures(mixed).rps == {64: 900}


def test_bar_passes_at_its_ratio_and_is_missed_below() -> None:
    litellm = figures(outcome("litellm", 40))
    for rps, expected in ((1200, True), (1199, False)):
        verdicts = judge({"bare": figures(outcome("bare", rps)), "litellm": litellm})
        requests = next(v for v in verdicts if v.bar.peer == "litellm" and v.bar.ratio == 30)
        assert requests.passed is expected


def test_bar_at_most_is_missed_above() -> None:
    measured = {
        "bare": figures(outcome("bare", 50)),
        "portkey": figures(outcome("portkey", 50)),
    }
    verdict = next(v for v in judge(measured) if v.bar.peer == "portkey" and v.bar.ratio == 0.8)
    assert verdict.ratio == pytest.approx(1.0)
    assert verdict.passed is False


def test_bar_whose_peer_gave_no_figure_is_neither_passed_nor_missed() -> None:
    measured = {"cached": figures(outcome("cached", 50))}
    assert judge(measured) == []
    measured["litellm-redis"] = figures(Outcome("litellm-redis", "", error="not ready"))
    assert [v.passed for v in judge(measured)] == [None]


def test_every_bar_names_a_row_of_the_table() -> None:
    ours = {"bare", "default", "cached", "guarded", "full", "deployed", "watched", "unwatched"}
    names = ours | {"litellm", "litellm-redis", "portkey"}
    assert {bar.subject for bar in BARS} | {bar.peer for bar in BARS} == names


def test_ratio_table_compares_ours_with_each_peer() -> None:
    table = ratios({n: figures(outcome(n, r)) for n, r in (("bare", 90), ("litellm", 30))})
    assert table.rows == [["bare", "litellm", "3.00x", "0.333x", "1.00x", "3.00x"]]


def test_figures_that_cannot_be_trusted_are_marked() -> None:
    assert outcome("bare", 50).wrong() == []
    assert "did not come from the upstream" in outcome("bare", 50, share=0.4).wrong()[0]
    assert outcome("cached", 50, cached=True, share=0.0).wrong() == []
    assert "reached the upstream" in outcome("cached", 50, cached=True, share=0.4).wrong()[0]


@pytest.mark.parametrize(
    ("once", "expected"),
    [
        ({"how": "complete", "tail": 'data: {"error":', "done": False}, "error event, no [DONE]"),
        ({"how": "complete", "tail": 'data: {"error":', "done": True}, "error event, then [DONE]"),
        ({"how": "complete", "tail": "", "done": False}, "clean end without an error, no [DONE]"),
        ({"how": "closed", "tail": "", "done": False}, "connection cut"),
        ({"how": "client_timeout", "tail": "", "done": False}, "hangs"),
        ({"how": "complete", "tail": "", "done": False, "status": 502}, "status 502"),
    ],
)
def test_cut_stream_in_words(once: dict[str, object], expected: str) -> None:
    assert describe({"status": 200, **once}) == expected


def test_run_survives_its_file_and_shows_everything(tmp_path: Path) -> None:
    bare = outcome("bare", 1200)
    bare.cuts = [Cut("error event, no [DONE]", 50, "tail")]
    bare.leaves = [Leave(True, 3.0, 21), Leave(False, None, 500)]
    run = Run("a machine", "today", QUICK, 1, [bare, outcome("litellm", 40)])
    run.save(tmp_path / "run.json")
    assert Run.load(tmp_path / "run.json") == run
    text = markdown(run)
    assert "cancelled 1 of 2, after 3 ms" in text
    assert "| bare | litellm | requests/s | at least 30.0x | 30.0x | pass |" in text


def test_outcome_that_failed_has_a_row_and_a_reason() -> None:
    failed = Outcome("smg", "smg", error="did not become ready")
    assert tables([failed])[0].rows == [["smg (!)", "-", "-"]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "-"), (45600.4, "45,600"), (12.34, "12.3"), (1.234, "1.23"), (0.0456, "0.046")],
)
def test_numbers_show_three_figures(value: float | None, expected: str) -> None:
    assert number(value) == expected

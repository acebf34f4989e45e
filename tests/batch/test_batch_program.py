"""The program as it is called, as far as it goes without anything to ask."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from batch_world import numbered, order, read_jsonl, write_jsonl

from serve_app.batch.__main__ import main
from serve_app.batch.parts import Parts
from serve_app.batch.places import Place
from serve_app.batch.results import Result
from serve_app.batch.survey import survey


@pytest.fixture
def given(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "in.jsonl", numbered(3))


def answered(given: Path, output: Path, *results: Result, **fields: Any) -> None:
    """As an earlier run leaves it that was killed after its last answer."""
    wanted = order(given, output, **fields)
    parts = Parts(Place.at(str(output)))
    terms = wanted.terms() | {"input": survey(wanted).identity()}
    parts.open(terms, 3, 2)
    rows = results or tuple(Result(n, response=f"answer {n}") for n in range(3))
    parts.write(0, rows[:2])
    parts.write(2, rows[2:])


def run(given: Path, output: Path, *words: str, prompt: str = "Say {text}") -> int:
    return main(["run", str(given), "-o", str(output), "--prompt", prompt, "--quiet", *words])


def test_all_answers_that_are_there_become_the_output_and_a_report(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    answered(given, output)
    assert run(given, output, "--json") == 0
    assert [row["response"] for row in read_jsonl(output)] == ["answer 0", "answer 1", "answer 2"]
    summary = json.loads(capsys.readouterr().out)
    assert (summary["status"], summary["rows"], summary["failed"]) == ("done", 3, 0)
    report = json.loads((tmp_path / "out.jsonl.report.json").read_text(encoding="utf-8"))
    assert report == summary
    assert sorted(os.listdir(tmp_path)) == ["in.jsonl", "out.jsonl", "out.jsonl.report.json"]


def test_the_same_command_again_has_nothing_to_do(given: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    answered(given, output)
    assert run(given, output) == 0
    before = output.stat().st_mtime_ns
    assert run(given, output) == 0
    assert output.stat().st_mtime_ns == before


def test_killed_between_the_output_and_its_report_it_is_written_again(
    given: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    answered(given, output)
    output.write_bytes(b"half")
    assert run(given, output) == 0
    assert len(read_jsonl(output)) == 3


def test_an_output_of_something_else_is_left_alone(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("mine", encoding="utf-8")
    assert run(given, output) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert output.read_text(encoding="utf-8") == "mine"


def test_other_terms_do_not_take_up_the_answers_of_these(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    answered(given, output)
    assert run(given, output, prompt="Shout {text}") == 2
    assert "prompt was" in capsys.readouterr().err
    write_jsonl(given, numbered(4))
    assert run(given, output) == 2
    assert "input was" in capsys.readouterr().err


def test_failed_rows_stay_in_the_parts_to_be_tried_again(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    failed = Result(1, kind="timeout", message="no answer in 5 s")
    answered(given, output, Result(0, response="a"), failed, Result(2, response="c"))
    assert run(given, output) == 0
    assert read_jsonl(output)[1]["error"] == "timeout: no answer in 5 s"
    assert "1 x timeout" in capsys.readouterr().out
    assert (tmp_path / "out.jsonl.parts").is_dir()


def test_a_cap_that_is_reached_already_asks_nothing(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    answered(given, output, Result(0, kind="timeout", cost_micro_usd=7), Result(1, response="b"))
    assert run(given, output, "--max-errors", "0") == 3
    assert "--retry-errors" in capsys.readouterr().out
    assert run(given, output, "--budget", "0.000007") == 3
    assert "budget" in capsys.readouterr().out
    assert not output.exists()


def test_a_dry_run_shows_the_first_prompts_and_what_they_cost(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--dry-run", "--model", "gpt-5-mini", "--max-tokens", "10", "--system", "Be brief"]
    assert run(given, tmp_path / "out.jsonl", *words) == 0
    told = capsys.readouterr().out
    assert "3 rows" in told
    assert "system: Be brief" in told
    assert "user: Say line 0" in told
    assert "$0.0000" in told
    assert os.listdir(tmp_path) == ["in.jsonl"]


def test_a_key_is_taken_out_of_its_file(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_text("sk-secret\n", encoding="utf-8")
    assert run(given, tmp_path / "out.jsonl", "--dry-run", f"--take-key={key}") == 0
    assert not key.exists()
    assert run(given, tmp_path / "out.jsonl", "--dry-run", f"--take-key={key}") == 1
    out, err = capsys.readouterr()
    assert "sk-secret" not in out + err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--prompt", "{nothing}"], "'nothing'"),
        (["--output", "out.txt"], "ends in none of"),
        (["--via", "vllm"], "--model"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(
    given: Path, tmp_path: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given, tmp_path / "out.jsonl", *words, "--ray", "local") == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert "\n" not in error

"""`serve-app cache eval` on the shared pairs: what is served, what is wrong, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serve_app.cli.failure import Failure
from serve_app.cli.main import app

DATA = Path(__file__).resolve().parents[1] / "data"
PAIRS, CONVERSATIONS = DATA / "semantic_pairs.jsonl", DATA / "semantic_conversations.jsonl"


def run(*args: str) -> str:
    result = CliRunner().invoke(app, ["cache", "eval", *args])
    if result.exception is not None:
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def found(*args: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(run(*args, "--json"))
    return said


@pytest.mark.parametrize("half", ["0", "1"])
def test_half_of_the_questions_are_served_and_hardly_a_trap(half: str) -> None:
    """The bar is 45 % and 2 %; the guards were tuned looking at half 0 only."""
    said = found(str(PAIRS), "--half", half)
    assert said["served"] >= 0.5
    assert said["wrong"] <= 0.01
    assert all(0 <= share <= 1 for share in said["by_category"].values())
    plain = {(one["threshold"], one["guarded"]): one for one in said["thresholds"]}
    assert plain[0.95, False]["wrong"] > 10 * said["wrong"]
    assert plain[0.95, False]["served"] < said["served"]


def test_no_conversation_gets_the_answer_of_another() -> None:
    said = found(str(CONVERSATIONS))
    assert said["wrong"] == 0.0


def test_a_looser_bound_serves_no_less() -> None:
    strict, loose = (found(str(PAIRS), "--max-wrong", bound) for bound in ("0.001", "0.2"))
    assert strict["served"] < loose["served"]
    assert strict["wrong"] <= loose["wrong"]


def test_people_get_a_table_and_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "pairs.svg"
    said = run(str(PAIRS), "--svg", str(picture), "--misses")
    assert "this cache" in said
    assert "threshold 0.95 and the guards" in said
    assert "not served" in said
    drawn = picture.read_text()
    assert drawn.startswith("<svg")
    assert drawn.count("<polyline") == 2


def test_equal_requests_are_served_and_lists_are_conversations(tmp_path: Path) -> None:
    question = [{"role": "user", "content": "hi"}]
    lines = [
        {"a": "What is 2 + 2?", "b": "What is 2 + 2?", "same_answer": True},
        {"a": "hi", "b": question, "same_answer": True},
        {"a": [{"role": "system", "content": "x"}, *question], "b": "hi", "same_answer": False},
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines))
    said = found(str(file))
    assert (said["served"], said["wrong"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("line", "says"),
    [("{", "pairs.jsonl:2"), ('{"a": "x", "same_answer": true}', "`b`"), (None, "no pairs")],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, line: str | None, says: str) -> None:
    file = tmp_path / "pairs.jsonl"
    good = '{"a": "x", "b": "y", "same_answer": true}\n'
    file.write_text("" if line is None else good + line)
    with pytest.raises(Failure, match=says):
        run(str(file))

"""The output: every row of the input as it was, in its order, with its answer beside it."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batch_world import order, read_jsonl, write_jsonl

from serve_app.batch.failure import BatchFailed
from serve_app.batch.joined import Join
from serve_app.batch.parts import Parts
from serve_app.batch.places import Place
from serve_app.batch.results import Result
from serve_app.batch.survey import survey

ADDED = {"response": "A", "finish_reason": "stop", "error": None}


def joined(given: Path, output: Path, results: list[Result] | None = None, **fields: Any) -> Path:
    """The output with an answer `A` for each row, or with these results."""
    found = survey(order(given, output, **fields))
    parts = Parts(Place.at(str(output)))
    parts.open({}, found.rows, 2)
    results = results or [Result(n, response="A", finish_reason="stop") for n in range(found.rows)]
    for first in range(0, found.rows, 2):
        parts.write(first, results[first : first + 2])
    Join(found, parts, fields.get("prefix", "")).write(Place.at(str(output)))
    return output


def test_lines_keep_their_values_to_the_letter(tmp_path: Path) -> None:
    given = tmp_path / "in.jsonl"
    lines = [
        '{"text":"a","n":1.50,"big":123456789012345678901}',
        '{"text":"ü","deep":{"a":[1, 2]}}',
    ]
    given.write_text("\n".join(lines), encoding="utf-8")
    output = joined(given, tmp_path / "out.jsonl")
    ending = ',"response":"A","finish_reason":"stop","error":null}'
    expected = [line[:-1] + ending for line in lines]
    assert output.read_text(encoding="utf-8").splitlines() == expected


def test_errors_stand_where_answers_would(tmp_path: Path) -> None:
    given = write_jsonl(tmp_path / "in.jsonl", [{"text": "a"}, {"text": "b"}])
    results = [Result(0, response="A"), Result(1, kind="blocked_by_policy", message="rule x")]
    output = joined(given, tmp_path / "out.jsonl", results, prefix="llm_")
    assert read_jsonl(output) == [
        {"text": "a", "llm_response": "A", "llm_finish_reason": None, "llm_error": None},
        {
            "text": "b",
            "llm_response": None,
            "llm_finish_reason": None,
            "llm_error": "blocked_by_policy: rule x",
        },
    ]


def test_parquet_keeps_its_types_and_its_metadata(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["a", "b", "c"], pa.large_string()),
            "at": pa.array(
                [dt.datetime(2024, 1, 2, tzinfo=dt.UTC), None, None], pa.timestamp("us", "UTC")
            ),
            "small": pa.array([1, 2, 3], pa.int8()),
        }
    ).replace_schema_metadata({"owner": "ann"})
    given = tmp_path / "in.parquet"
    pq.write_table(table, given, row_group_size=2)
    made = pq.read_table(joined(given, tmp_path / "out.parquet"))
    assert made.drop(list(ADDED)).equals(table)
    assert made.schema.metadata[b"owner"] == b"ann"
    assert made.select(list(ADDED)).to_pylist() == [ADDED] * 3


def test_parquet_of_lines_has_every_column_of_any_line(tmp_path: Path) -> None:
    rows = [{"text": "a", "n": 1}, {"text": "b", "n": 1.5, "late": {"x": [1]}}, {"text": "c"}]
    given = write_jsonl(tmp_path / "in.jsonl", rows)
    made = pq.read_table(joined(given, tmp_path / "out.parquet"))
    assert made.column_names == ["text", "n", *ADDED, "late"]
    assert made.column("n").to_pylist() == [1.0, 1.5, None]
    assert made.column("late").to_pylist() == [None, {"x": [1]}, None]


def test_parquet_cannot_hold_values_of_several_types_in_a_column(tmp_path: Path) -> None:
    given = write_jsonl(tmp_path / "in.jsonl", [{"text": "a", "n": 1}, {"text": "b", "n": "x"}])
    with pytest.raises(BatchFailed, match="several types"):
        joined(given, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_csv_of_lines_has_json_in_its_cells_where_values_are_nested(tmp_path: Path) -> None:
    rows = [{"text": "a,\n", "n": [1, "x"]}, {"text": "b", "late": True}]
    given = write_jsonl(tmp_path / "in.jsonl", rows)
    with joined(given, tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        made = list(csv.DictReader(file))
    assert [row["text"] for row in made] == ["a,\n", "b"]
    assert json.loads(made[0]["n"]) == [1, "x"]
    assert (made[0]["late"], made[1]["late"], made[1]["error"]) == ("", "true", "")


def test_lines_of_csv_and_of_parquet(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,n\na,1\n", encoding="utf-8")
    made = read_jsonl(joined(tmp_path / "in.csv", tmp_path / "c.jsonl"))
    assert made == [{"text": "a", "n": "1", **ADDED}]
    pq.write_table(pa.table({"text": ["a"], "on": [dt.date(2024, 1, 2)]}), tmp_path / "in.parquet")
    made = read_jsonl(joined(tmp_path / "in.parquet", tmp_path / "p.jsonl"))
    assert made == [{"text": "a", "on": "2024-01-02", **ADDED}]


def test_compressed_output(tmp_path: Path) -> None:
    given = write_jsonl(tmp_path / "in.jsonl", [{"text": "a"}])
    again = joined(joined(given, tmp_path / "out.jsonl.gz"), tmp_path / "two.jsonl", prefix="b_")
    assert read_jsonl(again)[0]["response"] == "A"


def test_an_input_that_lost_rows_meanwhile_is_not_written(tmp_path: Path) -> None:
    given = write_jsonl(tmp_path / "in.jsonl", [{"text": "a"}, {"text": "b"}])
    output = Place.at(str(tmp_path / "out.jsonl"))
    found, parts = survey(order(given, tmp_path / "out.jsonl")), Parts(output)
    parts.open({}, 2, 2)
    parts.write(0, [Result(0, response="A"), Result(1, response="A")])
    write_jsonl(given, [{"text": "a"}])
    with pytest.raises(BatchFailed, match="changed while the batch ran"):
        Join(found, parts, "").write(output)
    assert not output.exists()

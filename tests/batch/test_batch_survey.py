"""The first look: every format, every file, every row, and what is wrong said before it costs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batch_world import numbered, order, write_jsonl

from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.survey import Survey, requests, survey


def looked(given: Path, **fields: Any) -> Survey:
    return survey(order(given, given.with_name("out.jsonl"), **fields))


def asked(found: Survey, done: bytes = b"") -> list[tuple[int, str]]:
    """Row numbers and prompts of what would be asked."""
    assert found.prompter is not None
    made = []
    for place, file in zip(found.places, found.files, strict=True):
        mine = (done or bytes(found.rows))[file.first : file.first + file.rows]
        for row, messages in requests(place, file, found.kind, found.prompter, mine):
            made.append((row, json.loads(messages)[-1]["content"]))
    return made


def test_lines_of_json_blank_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n\n  \n{"text": "b", "more": 1}', encoding="utf-8")
    found = looked(path)
    assert (found.rows, found.columns) == (2, ["text", "more"])
    assert asked(found) == [(0, "Say a"), (1, "Say b")]


def test_compressed_lines(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a"}\n'))
    assert asked(looked(path)) == [(0, "Say a")]


def test_csv_with_quoted_line_breaks_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes('\ufefftext,n\n"two\nlines, ""so""",1\nü,2\n'.encode())
    assert asked(looked(path)) == [(0, 'Say two\nlines, "so"'), (1, "Say ü")]


def test_parquet_with_several_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.Table.from_pylist(numbered(700)), path, row_group_size=300)
    found = looked(path)
    assert found.rows == 700
    assert asked(found)[699] == (699, "Say line 699")


def test_a_folder_and_a_pattern_are_all_their_files_in_the_order_of_their_names(
    tmp_path: Path,
) -> None:
    for name, text in (("b.jsonl", "two"), ("a.jsonl", "one"), ("c.jsonl", "three")):
        write_jsonl(tmp_path / name, [{"text": text}])
    (tmp_path / "notes.txt").write_text("no table", encoding="utf-8")
    assert asked(looked(tmp_path)) == [(0, "Say one"), (1, "Say two"), (2, "Say three")]
    pattern = tmp_path / "[ab].jsonl"
    assert asked(looked(pattern)) == [(0, "Say one"), (1, "Say two")]


def test_a_limit_takes_the_first_rows_over_files(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", numbered(3))
    write_jsonl(tmp_path / "b.jsonl", numbered(3))
    found = looked(tmp_path, limit=4)
    assert [file.rows for file in found.files] == [3, 1]
    assert [row for row, _ in asked(found)] == [0, 1, 2, 3]


def test_rows_that_are_done_are_not_asked_again(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", numbered(3))
    write_jsonl(tmp_path / "b.jsonl", numbered(3))
    found = looked(tmp_path)
    assert [row for row, _ in asked(found, bytes([1, 0, 1, 0, 1, 1]))] == [1, 3]


def test_rows_without_a_prompt_are_noted_and_the_others_asked(tmp_path: Path) -> None:
    rows = [{"text": "a"}, {"text": None}, {"other": 1}, {"text": "d"}]
    found = looked(write_jsonl(tmp_path / "in.jsonl", rows))
    assert [(bad.row, bad.kind) for bad in found.bad] == [(1, "bad_row"), (2, "bad_row")]
    assert [row for row, _ in asked(found, bytes([0, 1, 1, 0]))] == [0, 3]


def test_the_content_is_what_tells_an_input_from_another(tmp_path: Path) -> None:
    first = looked(write_jsonl(tmp_path / "in.jsonl", numbered(3))).identity()
    assert looked(write_jsonl(tmp_path / "in.jsonl", numbered(3))).identity() == first
    assert looked(write_jsonl(tmp_path / "in.jsonl", numbered(4))).identity() != first


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("in.jsonl", '{"text": "a"}\n{"text": \n', "line 2"),
        ("in.jsonl", "[1]\n", "line 1"),
        ("in.jsonl", "\n", "no rows"),
        ("in.csv", "text,n\na,1\nb\n", "line 3"),
        ("in.csv", "text,n\na,1,2\n", "line 2"),
        ("in.parquet", "no parquet", "Parquet"),
        ("in.txt", "a", "ends in none of"),
        ("in.jsonl", '{"text": "a", "error": 1}\n', "--prefix"),
        ("in.jsonl", '{"text": "a"}\n{"text": "b", "response": 1}\n', "--prefix"),
        ("in.jsonl", '{"other": "a"}\n', "'text'"),
    ],
)
def test_an_input_that_cannot_be_used_is_refused_with_the_place(
    tmp_path: Path, name: str, content: str, told: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BatchFailed, match=told) as caught:
        looked(path)
    assert caught.value.exit_code == USAGE


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BatchFailed, match=r"nowhere\.jsonl"):
        looked(tmp_path / "nowhere.jsonl")


def test_files_of_several_formats_are_refused(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", numbered(1))
    (tmp_path / "b.csv").write_text("text\na\n", encoding="utf-8")
    with pytest.raises(BatchFailed, match="one format"):
        looked(tmp_path)

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from routing.learned_examples import REAL

from serve_app.routing.learned.labels import LabelsRejected, read_labels

GOOD = '{"prompt": "Why?", "weak_correct": true, "strong_correct": false}\n'


def test_reads_examples_in_their_order() -> None:
    labels = read_labels(REAL)
    assert len(labels.examples) == 240
    assert set(labels.gains) == {-1.0, 0.0, 1.0}
    assert labels.examples[0].source.startswith(("gsm8k", "mmlu/"))
    assert labels.gains.sum() == labels.strong.sum() - labels.weak.sum()


def test_a_gzipped_file_is_the_same_whatever_it_is_called(tmp_path: Path) -> None:
    zipped = tmp_path / "labels.jsonl"
    zipped.write_bytes(gzip.compress(REAL.read_bytes()))
    assert read_labels(zipped) == read_labels(REAL)


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(f"\n{GOOD}   \n{GOOD}")
    assert len(read_labels(path).examples) == 2


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"prompt": "x", "weak_correct": 1, "strong_correct": true}', "weak_correct"),
        ('{"prompt": "x", "weak_correct": true}', "strong_correct"),
        ('{"prompt": 7, "weak_correct": true, "strong_correct": true}', "prompt"),
        ('{"prompt": " ", "weak_correct": true, "strong_correct": true}', "prompt"),
        ('{"prompt": "x", ', "truncated"),
        ("[]", "array"),
    ],
)
def test_a_line_that_is_no_example_is_named_with_its_field(
    tmp_path: Path, line: str, field: str
) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(f"{GOOD}\n{line}\n{GOOD}")
    with pytest.raises(LabelsRejected) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert field in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(GOOD.encode() + GOOD.encode().replace(b"Why", b"\xff\xfe"))
    with pytest.raises(LabelsRejected, match=r"labels.jsonl:2: "):
        read_labels(path)


def test_a_file_without_examples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text("\n\n")
    with pytest.raises(LabelsRejected, match="no examples"):
        read_labels(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelsRejected, match=r"nowhere.jsonl: cannot be read: No such file"):
        read_labels(tmp_path / "nowhere.jsonl")
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(REAL.read_bytes())[:2000])
    with pytest.raises(LabelsRejected, match=r"cut.jsonl.gz: cannot be read"):
        read_labels(cut)
